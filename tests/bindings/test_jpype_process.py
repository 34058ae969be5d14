"""One JVM per process: how it starts, what it excludes, what it survives. Each test has its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import ROOT
from tests.docs.blocks import blocks_of

pytestmark = pytest.mark.slow
Fresh = Callable[..., "subprocess.CompletedProcess[str]"]
ANSWER = """
from crossload_jpype import SavedModelBundle
with SavedModelBundle.load(MODELS / "scale") as bundle:
    print("answer", bundle.call(x=[[1, 2, 3]])["y"].tolist())
"""
ANSWERED = "answer [[3.0, 5.0, 7.0]]"


@pytest.fixture
def impostor(tmp_path: Path) -> str:
    """A PYTHONPATH entry whose `tensorflow` is a module that only says that it was run."""
    package = tmp_path / "site" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("print('tensorflow was run')\n", encoding="utf-8")
    return str(package.parent)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """Of standard error: an exception's own."""
    return ([line for line in done.stderr.splitlines() if line.strip()] or [""])[-1]


def test_a_script_answers_and_ends_with_status_0(fresh: Fresh) -> None:
    done = fresh(ANSWER)
    assert (done.returncode, done.stdout.strip()) == (0, ANSWERED), done.stderr


def test_the_readme_s_example_runs_on_the_demo(fresh: Fresh, demo: Path, tmp_path: Path) -> None:
    (tmp_path / "digits").symlink_to(demo)
    example = next(b.text for b in blocks_of(ROOT / "bindings/jpype/README.md") if b.language == "python")
    done = fresh(f"{example}\nprint('ran')")
    assert (done.returncode, done.stdout.strip()) == (0, "ran"), done.stderr


def test_a_model_left_open_does_not_disturb_the_end_of_the_process(fresh: Fresh) -> None:
    done = fresh(
        """
        import threading
        from crossload_jpype import Graph
        graph = Graph.load(MODELS / "negation.pbtxt")
        thread = threading.Thread(target=lambda: print(graph.run({"x": 1.0}, "y") if False else graph.operations[0].name))
        thread.start()
        thread.join()
        """
    )
    assert (done.returncode, done.stdout.strip()) == (0, "x"), done.stderr


def test_an_exception_of_python_ends_the_process_as_usual(fresh: Fresh) -> None:
    done = fresh(ANSWER + "raise SystemExit(7)\n")
    assert (done.returncode, done.stdout.strip()) == (7, ANSWERED), done.stderr


def test_where_tensorflow_is_imported_the_jvm_is_not_started(fresh: Fresh, settings: dict[str, str], impostor: str) -> None:
    done = fresh("import tensorflow\n" + ANSWER, PYTHONPATH=f"{settings['PYTHONPATH']}{os.pathsep}{impostor}")
    assert done.returncode == 1
    assert ANSWERED not in done.stdout
    assert "StartProblem: tensorflow is imported in this process, and TensorFlow Java would abort it; use" in last_line(done)


def test_where_the_jvm_runs_tensorflow_is_not_imported(fresh: Fresh, settings: dict[str, str], impostor: str) -> None:
    done = fresh(
        ANSWER
        + """
import importlib.util
print("installed" if importlib.util.find_spec("tensorflow") else "absent")
try:
    import tensorflow
except ImportError as error:
    print(error)
import tensorboard_like_module_that_is_absent
""",
        PYTHONPATH=f"{settings['PYTHONPATH']}{os.pathsep}{impostor}",
    )
    assert "installed" in done.stdout
    assert "tensorflow cannot be imported where crossload_jpype has started TensorFlow Java: two TensorFlows abort" in done.stdout
    assert "tensorflow was run" not in done.stdout
    assert last_line(done) == "ModuleNotFoundError: No module named 'tensorboard_like_module_that_is_absent'"


def test_a_forked_child_gets_the_reason_and_a_spawned_one_works(fresh: Fresh) -> None:
    done = fresh(
        """
        import multiprocessing
        from crossload_jpype import Graph, StartProblem

        def ask(graph=None):
            try:
                with graph or Graph.load(MODELS / "negation.pbtxt") as g:
                    import numpy as np
                    print(float(g.run({"x": np.float32(1)}, "y")), flush=True)
            except StartProblem as error:
                print(error, flush=True)
            finally:
                del graph

        if __name__ == "__main__":
            graph = Graph.load(MODELS / "negation.pbtxt")
            for method, arguments in (("fork", (graph,)), ("fork", ()), ("spawn", ())):
                process = multiprocessing.get_context(method).Process(target=ask, args=arguments)
                process.start()
                process.join(60)
                print(method, process.exitcode, flush=True)
        """
    )
    told = "this process was forked from one with a JVM, and a JVM does not survive a fork; start children by "
    told += "multiprocessing.get_context('spawn')"
    assert done.stdout.splitlines() == [told, "fork 0", told, "fork 0", "-1.0", "spawn 0"], done.stderr


def test_a_child_forked_before_the_jvm_starts_may_start_its_own(fresh: Fresh) -> None:
    done = fresh("import crossload_jpype\nif os.fork():\n    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))\n" + ANSWER)
    assert (done.returncode, done.stdout.strip()) == (0, ANSWERED), done.stderr


def test_a_foreign_jvm_without_the_jars_names_what_is_missing(fresh: Fresh) -> None:
    done = fresh("import jpype\njpype.startJVM()\n" + ANSWER)
    assert "StartProblem: other code started this process's JVM, without TensorFlow Java on its class path" in last_line(done)


def test_a_foreign_jvm_with_our_jars_is_used(fresh: Fresh) -> None:
    start = "import jpype\njpype.startJVM(classpath=os.environ['CROSSLOAD_JPYPE_CLASS_PATH'].split(os.pathsep))\n"
    assert ANSWERED in fresh(start + ANSWER).stdout


def test_options_of_the_environment_and_of_start_reach_the_jvm(fresh: Fresh) -> None:
    done = fresh(
        """
        import crossload_jpype, jpype
        crossload_jpype.start(jvm_options=["-Dsecond=given", "-Dboth=start"])
        crossload_jpype.start()
        get = jpype.java.lang.System.getProperty
        print(get("first"), get("second"), get("both"), jpype.java.lang.Runtime.getRuntime().maxMemory() >> 20)
        crossload_jpype.start(jvm_options=["-Xmx1g"])
        """,
        CROSSLOAD_JVM_OPTIONS="-Dfirst='two words' -Dboth=environment -Xmx96m",
    )
    first, _, rest = done.stdout.strip().rpartition(" ")
    assert (first, int(rest) <= 96) == ("two words given start", True)
    assert "StartProblem: the JVM runs already and cannot start again; call crossload_jpype.start before" in last_line(done)


def test_an_option_that_the_jvm_does_not_know_is_named(fresh: Fresh) -> None:
    done = fresh(ANSWER, CROSSLOAD_JVM_OPTIONS="-XX:+NoSuchOption")
    assert "StartProblem: the JVM does not start with the options" in last_line(done)
    assert "-XX:+NoSuchOption" in last_line(done)


def test_a_missing_jar_and_a_missing_class_path_are_named(fresh: Fresh) -> None:
    done = fresh(ANSWER, CROSSLOAD_JPYPE_CLASS_PATH="/nowhere/a.jar")
    assert "StartProblem: /nowhere/a.jar of the class path ($CROSSLOAD_JPYPE_CLASS_PATH) does not exist" in last_line(done)
    done = fresh(ANSWER, CROSSLOAD_JPYPE_CLASS_PATH=None)
    assert "StartProblem: no jars: set CROSSLOAD_JPYPE_CLASS_PATH or call crossload_jpype.start(class_path=…)" in last_line(done)


def test_a_java_home_whose_jvm_does_not_load_is_named(fresh: Fresh, tmp_path: Path) -> None:
    library = tmp_path / "java" / "lib" / "server" / "libjvm.so"
    library.parent.mkdir(parents=True)
    library.write_text("no library", encoding="utf-8")
    done = fresh(ANSWER, JAVA_HOME=str(tmp_path / "java"))
    assert f"StartProblem: the JVM {library} does not load; point JAVA_HOME at a JDK 17 or newer" in last_line(done)


def test_jars_come_from_crossload_where_it_is_installed(settings: dict[str, str], python: str) -> None:
    site = subprocess.run([python, "-c", "import jpype; print(jpype.__path__[0])"], capture_output=True, text=True, check=True).stdout
    path = os.pathsep.join((settings["PYTHONPATH"], str(Path(site.strip()).parent)))
    environment = {k: v for k, v in settings.items() if k != "CROSSLOAD_JPYPE_CLASS_PATH"} | {"PYTHONPATH": path}
    script = "import crossload_jpype; crossload_jpype.start(release='1.0.0'); print(crossload_jpype.versions())"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert "'tensorflow-java': '1.0.0', 'tensorflow': '2.16.2'" in done.stdout, done.stderr


# HotSpot compiles the comparison, and then reads through null on purpose: SIGSEGV, which it answers by a NullPointerException.
HOT = """
import faulthandler

def test_null():
    import crossload_jpype, jpype
    crossload_jpype.start()
    faulthandler.enable()
    compare = jpype.JClass("java.lang.String").CASE_INSENSITIVE_ORDER.compare
    text = jpype.JClass("java.lang.String")("abc")
    for _ in range(60_000):
        compare(text, text)
    try:
        compare(text, None)
    except jpype.JException:
        pass
    else:
        raise AssertionError
    assert not faulthandler.is_enabled()
"""


@pytest.mark.parametrize("options", [[], ["-X", "faulthandler"]])
def test_pytest_with_its_faulthandler_is_safe(settings: dict[str, str], python: str, tmp_path: Path, options: list[str]) -> None:
    site = subprocess.run([python, "-c", "import jpype; print(jpype.__path__[0])"], capture_output=True, text=True, check=True).stdout
    path = os.pathsep.join((settings["PYTHONPATH"], str(Path(site.strip()).parent)))
    (tmp_path / "test_hot.py").write_text(HOT, encoding="utf-8")
    command = [sys.executable, *options, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [*command, str(tmp_path / "test_hot.py")], env={**settings, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "faulthandler stays off" in done.stdout
    assert "Fatal" not in done.stderr
