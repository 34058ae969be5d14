"""A release of java/: it passes its own checks, is the same wherever it is built, can be signed, and keeps the public API."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossload import __version__
from tests.java.released import GROUP, PUBLISHED, Release, copy
from tests.maven import maven

pytestmark = pytest.mark.slow
ADDRESS = "https://example.org/crossload"
JAPICMP = "com.github.siom79.japicmp:japicmp-maven-plugin:0.23.1:cmp"


def test_the_files_of_a_release_were_checked_when_it_was_built(released: Release) -> None:
    counted = re.search(r"Tests run: (\d+), Failures: 0, Errors: 0, Skipped: 0.*ReleasedFilesIT", (released.folder / "log").read_text())
    assert counted and int(counted[1]) == 6 + 5 * 3 + 2 + 2 * len(released.files())
    assert len(released.files()) == 4 * len(PUBLISHED) + 1


def test_the_jars_of_a_release_are_those_that_the_python_package_carries(released: Release) -> None:
    for artifact in PUBLISHED:
        carried = released.folder / f"python/crossload/workers/java/crossload-{artifact}.jar"
        assert carried.read_bytes() == released.file(artifact).read_bytes(), artifact


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Release, dict[str, str]]]:
    """The same release built in another place, time zone and language, and signed; and the environment with its key."""
    if shutil.which("gpg") is None:
        pytest.skip("there is no gpg on this machine (Debian: apt-get install gnupg)")
    folder = tmp_path_factory.mktemp("elsewhere") / "with a space"
    home = tmp_path_factory.mktemp("k")  # short: the path of the agent's socket has at most 108 bytes
    home.chmod(0o700)
    environment = {"GNUPGHOME": str(home), "TZ": "Asia/Kathmandu", "MAVEN_OPTS": "-Duser.language=tr -Duser.country=TR"}
    key = ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", "crossload tests <tests@example.org>", "ed25519", "sign", "never"]
    try:
        subprocess.run(key, env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, check=True)
        release = copy(folder, version=__version__)
        words = ["-Prelease,sign", "-DskipTests", f"-Dproject.address={ADDRESS}", "verify"]
        status, output = maven(folder / "java", *words, environment=environment)
        assert status == 0, output[-6000:]
        yield release, environment
    finally:
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], env={"PATH": "/usr/bin:/bin", **environment}, check=False)


def test_a_release_is_the_same_wherever_it_is_built(released: Release, signed: tuple[Release, dict[str, str]]) -> None:
    other = signed[0]
    assert released.files() == other.files()
    for file in released.files():
        one, same = (r.repository.joinpath(file).read_bytes() for r in (released, other))
        if file.suffix == ".pom":
            same = same.replace(ADDRESS.encode(), b"https://crossload.invalid/")
        assert hashlib.sha256(one).hexdigest() == hashlib.sha256(same).hexdigest(), file


def test_every_file_of_a_signed_release_has_a_valid_signature(signed: tuple[Release, dict[str, str]]) -> None:
    release, environment = signed
    for file in release.files():
        path = release.repository / file
        command = ["gpg", "--batch", "--verify", f"{path}.asc", str(path)]
        assert subprocess.run(command, env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, check=False).returncode == 0, file


def test_a_signed_release_without_the_project_s_address_is_refused_at_once(tmp_path: Path) -> None:
    status, output = maven(copy(tmp_path, version=__version__).folder / "java", "-Prelease,sign", "-DskipTests", "verify")
    assert status
    assert "A signed release names the project's address, which is not known here: -Dproject.address=https://" in output
    assert not list(tmp_path.rglob("*.jar"))


def test_the_site_s_javadoc_covers_the_library_and_its_tests(tmp_path: Path) -> None:
    words = ["-DskipTests", "-pl", "library,junit", "-am", "package", "javadoc:aggregate"]  # as `make docs` calls it
    status, output = maven(copy(tmp_path, version=__version__).folder / "java", *words)
    assert status == 0, output[-4000:]
    pages = tmp_path / "java/target/reports/apidocs/io/crossload"
    assert all((pages / page).exists() for page in ("Bundle.html", "junit/ConformsTo.html", "contract/Manifest.html"))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Maven repository for the released files, which have no business in the user's."""
    return tmp_path_factory.mktemp("own")


def without(jar: Path, entry: str, target: Path) -> None:
    """Copy a jar, but for one entry."""
    target.parent.mkdir(parents=True)
    with zipfile.ZipFile(jar) as source, zipfile.ZipFile(target, "w") as made:
        assert entry in source.namelist()
        for name in source.namelist():
            if name != entry:
                made.writestr(source.getinfo(name), source.read(name))


@pytest.mark.parametrize(
    ("execution", "artifact", "missing", "compatible"),
    [
        ("library", "tensorflow-java", "io/crossload/Outputs.class", False),
        ("library", "tensorflow-java", "io/crossload/contract/Tolerance.class", False),
        ("library", "tensorflow-java", "io/crossload/graph/TensorName.class", True),
        ("junit", "junit", "io/crossload/junit/ConformsTo.class", False),
        ("junit", "junit", "META-INF/NOTICE", True),
    ],
)
def test_a_release_that_lacks_what_users_call_is_refused(
    released: Release, own: Path, tmp_path: Path, execution: str, artifact: str, missing: str, compatible: bool
) -> None:
    name = f"crossload-{artifact}"
    without(released.file(artifact), missing, tmp_path / GROUP / name / "99" / f"{name}-99.jar")
    status, output = maven(
        released.folder / "java",
        *("-gs", str(released.settings()), f"-Dmaven.repo.local={own}", "-Prelease", "-pl", "release", "-Drevision=99"),
        *(f"-Dlast.release={released.version}", f"-Drelease.repository={tmp_path}"),
        f"{JAPICMP}@{execution}",
    )
    assert (status == 0) is compatible, output[-4000:]
    if not compatible:
        assert "incompatib" in output
        assert missing.removesuffix(".class").replace("/", ".") in output
