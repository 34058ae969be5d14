"""Swift for Linux, which compiles and runs a handed-over package: this machine's, or Debian 13's in crossload's cache.

`python -m tests.verbs.handoff.ios.toolchain` brings the latter (0.5 GB to fetch, 2.5 GB unpacked; as root, on Debian).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from crossload.runtimes import environments, registry
from crossload.support import cache

ROOM = Path(__file__).parent
_PACKAGES = ("swiftlang", "libc6-dev", "libstdc++-14-dev")
_LIBRARY = "org/bytedeco/tensorflowlite/linux-x86_64/libjnitensorflowlite.so"
_BIN, _LIBRARIES = "/usr/libexec/swift/bin", "/usr/libexec/swift/lib/swift/linux"
# In a mount namespace of its own: the folder of the work is at its own path, and nothing stays mounted. Arguments: root, folder, command.
_INSIDE = """
root=$1 folder=$2; shift 2
top="/$(echo "$folder" | cut -d / -f 2)"
mount --rbind /proc "$root/proc" && mount --rbind /dev "$root/dev" && mkdir -p "$root$top" && mount -t tmpfs tmpfs "$root$top" &&
mkdir -p "$root$folder" && mount --bind "$folder" "$root$folder" && exec chroot "$root" "$@"
"""


@dataclass(frozen=True)
class Swift:
    """A compiler and the folder below which it works; `root` is an unpacked Debian, or None for this machine."""

    root: Path | None
    folder: Path

    def run(self, program: str, *words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one of Swift's programs, such as `swift-build`."""
        here = {"HOME": str(self.folder), "TMPDIR": str(self.folder)}
        own = here | (
            {"PATH": f"{_BIN}:{os.environ['PATH']}", "LD_LIBRARY_PATH": _LIBRARIES} if self.root else {"PATH": os.environ["PATH"]}
        )
        inside = ["unshare", "-m", "sh", "-c", _INSIDE, "-", self.root, self.folder] if self.root else []
        command = [str(w) for w in (*inside, program, *words)]
        return subprocess.run(command, env=own | environment, capture_output=True, text=True, check=False)

    def package(self, program: str, project: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `swift-build` or `swift-test` on a project, over the stand-in of TensorFlow Lite's Swift API."""
        known = {"TENSORFLOWLITE_PACKAGE": str(self.folder / "TensorFlowLite"), "TENSORFLOWLITE_LIBRARY": str(self.folder / "library")}
        linker = ("-Xswiftc", "-use-ld=lld") if self.root else ()
        return self.run(program, "--package-path", project, "--disable-sandbox", *linker, *words, **known, **environment)


def prepared(folder: Path) -> Swift:
    """The compiler over a folder with the stand-in and TensorFlow Lite's C library; skipped where there is no compiler."""
    root = _root()
    if shutil.which("swift-build"):
        found = Swift(None, folder)
    elif root.exists() and subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0:
        found = Swift(root, folder)
    else:
        pytest.skip("there is no Swift compiler here; `python -m tests.verbs.handoff.ios.toolchain` brings Debian 13's (0.5 GB)")
    shutil.copytree(ROOM / "standin", folder / "TensorFlowLite")
    source = registry.one("tflite-java").source
    assert isinstance(source, environments.Jar)
    (jar,) = (j for j in environments.class_path(source).split(os.pathsep) if re.search(r"/tensorflow-lite-[\d.-]*-linux-x86_64\.jar$", j))
    with zipfile.ZipFile(jar) as archive:
        (folder / "library").mkdir()
        (folder / "library" / Path(_LIBRARY).name).write_bytes(archive.read(_LIBRARY))
    return found


def _root() -> Path:
    return cache.cache_folder() / "tests" / "swift-debian-13"


def fetch(root: Path) -> None:
    """Unpack Debian 13's packages, with all that they depend on, into a folder; raises RuntimeError with apt's words."""
    making = root.with_suffix(".making")
    shutil.rmtree(making, ignore_errors=True)
    for name in ("lists/partial", "archives/partial", "parts", "root/proc", "root/dev"):
        (making / name).mkdir(parents=True)
    known = Path("/etc/apt/sources.list.d/debian.sources").read_text("utf-8")
    (making / "parts/debian.sources").write_text(
        f"Types: deb\n{re.search('^URIs: .*', known, re.M)[0]}\nSuites: trixie\nComponents: main\n"  # type: ignore[index]
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
        "utf-8",
    )
    (making / "status").touch()
    settings = {
        "Dir::State::status": making / "status",
        "Dir::State::lists": making / "lists",
        "Dir::Cache": making,
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": making / "parts",
        "APT::Install-Recommends": "false",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    _checked(["apt-get", *options, "update", "-qq"])
    _checked(["apt-get", *options, "install", "-y", "-qq", "--download-only", *_PACKAGES])
    for package in sorted((making / "archives").glob("*.deb")):
        _checked(["dpkg-deb", "-x", str(package), str(making / "root")])
        package.unlink()
    for name in ("bin", "sbin", "lib", "lib64"):
        if not (making / "root" / name).exists():
            (making / "root" / name).symlink_to(f"usr/{name}")
    (making / "root").rename(root)
    shutil.rmtree(making)


def _checked(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr)[-4000:])


if __name__ == "__main__":
    where = _root()
    if not where.exists():
        where.parent.mkdir(parents=True, exist_ok=True)
        fetch(where)
    print(where)
