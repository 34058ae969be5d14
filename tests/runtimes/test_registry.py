"""The registry's promises: a third party adds a runtime by configuration or entry point, and a mistake in either is one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crossload.errors import CrossloadError
from crossload.runtimes import environments, registry
from crossload.runtimes.environments import Command, Confined, Jar, Script
from crossload.runtimes.registry import Runtime


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration but the test's own."""
    monkeypatch.delenv("CROSSLOAD_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


def configured(text: str) -> None:
    Path("crossload.toml").write_text(text, encoding="utf-8")


TOY = "[runtimes.toy]\nformats = ['tflite']\ncommand = ['python', 'toy.py']\n"


def test_without_a_configuration_the_built_in_runtimes_exist() -> None:
    assert registry.configuration_file() is None
    assert registry.all_runtimes() == list(registry.BUILT_IN)
    assert [r.name for r in registry.find()] == ["tensorflow", "tensorflow-java", "tflite-runtime", "litert", "tflite-micro"]


def test_a_command_becomes_a_runtime_that_runs_where_its_configuration_lies(tmp_path: Path) -> None:
    configured(TOY + "environment = {THREADS = '1'}\nversion = '2'\n")
    assert registry.find(["toy"]) == [
        Runtime("toy", ("tflite",), Command(("python", "toy.py"), {"THREADS": "1"}, tmp_path.resolve()), "2", default=False)
    ]


def test_a_script_is_found_beside_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "elsewhere" / "c.toml"
    file.write_text("[runtimes.toy]\nformats = ['tflite']\nscript = 'toy.py'\n")
    monkeypatch.setenv("CROSSLOAD_CONFIG", str(file))
    assert registry.find(["toy"])[0].source == Script((tmp_path / "elsewhere" / "toy.py").resolve())


def test_the_named_configuration_wins_over_the_folders_and_the_folders_over_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = tmp_path / "config" / "crossload" / "crossload.toml"
    users.parent.mkdir(parents=True)
    users.write_text(TOY)
    assert registry.configuration_file() == users
    configured(TOY)
    assert registry.configuration_file() == Path("crossload.toml")
    monkeypatch.setenv("CROSSLOAD_CONFIG", "named.toml")
    assert registry.configuration_file() == Path("named.toml")


def test_a_default_runtime_need_not_be_named() -> None:
    configured(TOY + "default = true\n")
    assert "toy" in [r.name for r in registry.find()]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[runtimes.toy\n", "cannot be read"),
        ("[runtime.toy]\n", "at runtime: there is no such key; the keys are runtimes"),
        ("runtimes = 5\n", "runtimes"),
        ("[runtimes]\ntoy = 5\n", "toy"),
        ("[runtimes.toy]\ncommand = ['x']\n", "at runtimes.toy.formats: "),
        ("[runtimes.toy]\nformats = []\ncommand = ['x']\n", "at runtimes.toy.formats: "),
        ("[runtimes.toy]\nformats = 'tflite'\ncommand = ['x']\n", "at runtimes.toy.formats: "),
        ("[runtimes.toy]\nformats = ['tflite']\n", "at runtimes.toy: give either command or script"),
        ("[runtimes.toy]\nformats = ['tflite']\ncommand = 'python toy.py'\n", "at runtimes.toy.command: "),
        ("[runtimes.toy]\nformats = ['tflite']\ncommand = []\n", "at runtimes.toy.command: "),
        ("[runtimes.toy]\nformats = ['tflite']\ncommand = ['x']\nscript = 'x.py'\n", "at runtimes.toy: give either command or script"),
        (
            "[runtimes.toy]\nformats = ['tflite']\nscript = 'x.py'\nenvironment = {A = '1'}\n",
            "at runtimes.toy: environment is for a command",
        ),
        (TOY + "environment = {THREADS = 1}\n", "at runtimes.toy.environment.THREADS: "),
        (TOY + "default = 'no'\n", "at runtimes.toy.default: "),
        (TOY + "comand = ['x']\n", "at runtimes.toy.comand: "),
    ],
)
def test_a_mistake_in_the_configuration_is_one_sentence_that_names_file_and_place(text: str, says: str) -> None:
    configured(text)
    with pytest.raises(CrossloadError, match=re.escape(says)) as caught:
        registry.all_runtimes()
    assert "crossload.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_configuration_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSLOAD_CONFIG", "gone.toml")
    with pytest.raises(CrossloadError, match=r"gone\.toml cannot be read"):
        registry.find()


def test_a_name_may_carry_its_version() -> None:
    assert registry.find(["litert@2.3.0"]) == registry.find(["litert"])
    with pytest.raises(CrossloadError, match=r"no runtime 'litert@2\.2\.0'.*litert@2\.3\.0"):
        registry.find(["litert@2.2.0"])


def test_a_runtime_named_twice_is_found_once() -> None:
    assert len(registry.find(["litert", "litert@2.3.0", "litert"])) == 1


def test_the_last_release_of_a_name_is_meant_by_the_name_alone() -> None:
    assert registry.find(["tensorflow-java"]) == registry.find(["tensorflow-java@1.1.0"])
    assert registry.shortest_name(registry.find(["tensorflow-java@0.5.0"])[0]) == "tensorflow-java@0.5.0"


def test_a_pattern_means_every_release_that_it_matches() -> None:
    releases = ["tensorflow-java@0.3.3", "tensorflow-java@0.4.2", "tensorflow-java@0.5.0", "tensorflow-java@1.0.0", "tensorflow-java@1.1.0"]
    assert [r.title for r in registry.find(["tensorflow-java@*"])] == releases
    assert [r.title for r in registry.find(["tensorflow-java@1.?.0", "tensorflow-java", "tensorflow-java@0.[34]*"])] == [
        *releases[3:],
        *releases[:2],
    ]
    assert [r.title for r in registry.find(["*-legacy@*"])] == ["tensorflow-java-legacy@1.15.0"]


def test_a_pattern_that_matches_nothing_lists_the_known_runtimes() -> None:
    with pytest.raises(CrossloadError, match=r"no runtime 'tensorflow-java@2\.\*'.*there are: .*tensorflow-java@1\.1\.0, .*litert@2\.3\.0"):
        registry.find(["litert", "tensorflow-java@2.*"])


def test_a_near_match_is_offered_and_all_names_are_listed() -> None:
    with pytest.raises(
        CrossloadError, match=r"no runtime 'tensorflow-jav'; near it are 'tensorflow-java', .*; there are: tensorflow, .*litert"
    ):
        registry.find(["tensorflow-jav"])


def test_a_configured_runtime_without_a_version_replaces_the_built_in_one() -> None:
    configured(TOY.replace("toy]", "litert]"))
    assert isinstance(registry.find(["litert"])[0].source, Command)
    assert [r.name for r in registry.find()] == ["tensorflow", "tensorflow-java", "tflite-runtime", "tflite-micro"]


def test_another_version_exists_beside_the_built_in_one_under_an_unambiguous_name() -> None:
    configured(TOY.replace("toy]", "litert]") + "version = '9'\n")
    built_in, mine = registry.find(["litert@2.3.0", "litert@9"])
    assert registry.find(["litert"]) == [mine]
    assert [registry.shortest_name(r) for r in (built_in, mine)] == ["litert@2.3.0", "litert"]


def test_a_configured_runtime_can_be_a_key() -> None:
    configured(TOY)
    assert len({registry.find(["toy"])[0], registry.find(["toy"])[0]}) == 1


def installed(site: Path, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with an entry point, as pip would leave it."""
    about = site / "toy-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[crossload.runtimes]\ntoy = {module}:runtime\n")
    monkeypatch.syspath_prepend(str(site))


def test_an_entry_point_adds_a_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "from crossload.runtimes.environments import Command\nfrom crossload.runtimes.registry import Runtime\n"
    (tmp_path / "toy_good.py").write_text(code + "def runtime():\n    return Runtime('toy', ('tflite',), Command(('toy',)), '1')\n")
    installed(tmp_path, "toy_good", monkeypatch)
    assert registry.find(["toy"])[0].title == "toy@1"


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("toy_no_runtime", "runtime = 5\n", "is not a crossload.runtimes.registry.Runtime"),
        ("toy_broken", "import no_such_module\n", "no_such_module"),
        ("toy_raising", "def runtime():\n    raise OSError('no licence')\n", "no licence"),
    ],
)
def test_a_broken_entry_point_is_one_sentence_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str, says: str
) -> None:
    (tmp_path / f"{name}.py").write_text(code)
    installed(tmp_path, name, monkeypatch)
    with pytest.raises(CrossloadError, match=says) as caught:
        registry.all_runtimes()
    assert f"entry point toy of crossload.runtimes ({name}:runtime)" in str(caught.value)


def test_where_one_runtime_is_needed_a_pattern_of_several_is_refused() -> None:
    assert registry.one("tensorflow-java") == registry.find(["tensorflow-java"])[0]
    with pytest.raises(CrossloadError, match=r"'tensorflow-java@\*' matches 5 runtimes, name one of them: tensorflow-java@0\.3\.3"):
        registry.one("tensorflow-java@*")


@pytest.mark.parametrize(
    ("name", "format", "options", "expected"),
    [
        ("tensorflow", "saved_model", {}, "tensorflow@2.21.0"),
        ("tensorflow", "saved_model", {"loader": "keras"}, "tensorflow+python@2.21.0"),
        ("tensorflow", "graph_def", {"loader": "keras"}, "tensorflow@2.21.0"),
        ("tensorflow", "keras", {}, "tensorflow+python@2.21.0"),
        ("tensorflow@2.15.1", "keras_h5", {}, "tensorflow+python@2.15.1"),
        ("tensorflow+python", "saved_model", {"loader": "keras"}, "tensorflow+python@2.21.0"),
        ("tensorflow", "tflite", {}, None),
        ("litert", "keras", {}, None),
    ],
)
def test_a_format_or_loader_that_a_runtime_lacks_goes_to_its_fallback(
    name: str, format: str, options: dict[str, str], expected: str | None
) -> None:
    able = registry.able(registry.one(name), format, options)
    assert (able and able.title) == expected


def test_a_runtime_of_another_platform_is_in_a_container_with_the_same_pins() -> None:
    (arm,) = registry.find(["litert/arm64"])
    assert registry.find(["docker:litert/arm64", "docker:litert/arm64@2.3.0"]) == [arm]
    assert (arm.title, registry.shortest_name(arm)) == ("docker:litert/arm64@2.3.0", "docker:litert/arm64")
    assert arm.source == Confined(registry.one("litert").source, "docker", "litert/arm64@2.3.0")
    inside = registry.unwalled(arm)
    assert (inside.title, inside.platform, inside.source) == ("litert/arm64@2.3.0", "arm64", registry.one("litert").source)


def test_a_java_runtime_of_another_platform_has_its_natives() -> None:
    source = registry.in_image("tensorflow-java/arm64@1.0.0").source
    assert isinstance(source, Jar)
    assert "org.tensorflow:tensorflow-core-native:1.0.0:linux-arm64" in source.coordinates
    assert source.libraries.endswith("/linux-arm64")


def test_djl_with_and_without_names_shares_one_environment_and_must_be_named() -> None:
    named, unnamed = registry.find(["djl*"])
    assert (named.title, unnamed.title) == ("djl@0.36.0", "djl+unnamed@0.36.0")
    assert isinstance(named.source, Jar) and isinstance(unnamed.source, Jar)
    assert environments.folder_of(named.source) == environments.folder_of(unnamed.source)
    assert (named.source.arguments, unnamed.source.arguments) == ((), ("--unnamed",))
    assert not named.default and not unnamed.default


def test_a_platform_that_is_not_there_or_not_behind_a_container_is_told() -> None:
    with pytest.raises(CrossloadError, match=r"litert has no image for 'arm/v7'; the platforms are: arm64"):
        registry.find(["litert/arm/v7"])
    with pytest.raises(CrossloadError, match=r"runs in a container alone; name it docker:litert/arm64"):
        registry.find(["bubblewrap:litert/arm64"])
    with pytest.raises(CrossloadError, match=r"has no image for arm64"):
        registry.find(["tensorflow-java-jpype/arm64"])
