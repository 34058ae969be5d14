"""Gradle without its launcher: its API, which holds all of Gradle, and Kotlin's compiler, fetched once by Maven into crossload's cache."""

from __future__ import annotations

from pathlib import Path

from tests.maven import fetched, run

ROOM = Path(__file__).parent
_EVERYTHING = (
    "dev.gradleplugins:gradle-api:8.11.1",
    "org.jetbrains.kotlin:kotlin-compiler-embeddable:2.1.0",
    "org.jetbrains.kotlin:kotlin-stdlib:2.1.0",
    "org.jetbrains.kotlin:kotlin-sam-with-receiver-compiler-plugin-embeddable:2.1.0",
)
# What each build file of Kotlin's DSL imports by default, as far as ours use it.
_IMPORTS = ("api", "api.tasks", "api.tasks.compile", "api.tasks.testing", "language.jvm.tasks")
# As Gradle's own compilation of build files has it: a block is a function of the object that it configures.
_RECEIVERS = "plugin:org.jetbrains.kotlin.samWithReceiver:annotation=org.gradle.api.HasImplicitReceiver"


def evaluated(project: Path, folder: Path, *properties: str) -> dict[str, str]:
    """What the project's build files configure, by Evaluate.kt's words, with these properties (`name=value`)."""
    jars = fetched("gradle-1", _EVERYTHING, alone=False)
    imports = "\n".join(f"import org.gradle.{name}.*" for name in _IMPORTS)
    folder.mkdir()
    for receiver, function, file in (
        ("Project", "client", project / "client" / "build.gradle.kts"),
        ("Settings", "settings", project / "settings.gradle.kts"),
    ):
        own = imports if receiver == "Project" else ""
        text = f"package build\n\n{own}\n\nfun {receiver}.{function}() {{\n{file.read_text('utf-8')}\n}}\n"
        (folder / f"{function.title()}File.kt").write_text(text, "utf-8")
    (plugin,) = jars.glob("kotlin-sam-with-receiver*.jar")
    compiler = ["java", "-Xmx1g", "-cp", f"{jars}/*", "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"]
    options = ["-no-stdlib", "-no-reflect", "-Werror", "-jvm-target", "17", f"-Xplugin={plugin}", "-P", _RECEIVERS]
    paths = ["-cp", ":".join(map(str, sorted(jars.glob("*.jar")))), "-d", folder / "classes"]
    run([*compiler, *options, *paths, *folder.glob("*.kt"), *ROOM.glob("*.kt")])
    opened = ["--add-opens", "java.base/java.lang=ALL-UNNAMED", "--add-opens", "java.base/java.util=ALL-UNNAMED"]
    said = run(["java", "-Xmx1g", *opened, "-cp", f"{folder / 'classes'}:{jars}/*", "build.EvaluateKt", project, *properties])
    return dict(line.split(": ", 1) for line in said.splitlines())
