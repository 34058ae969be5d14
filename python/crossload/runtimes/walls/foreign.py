"""Images of another platform than the engine's: their packages are fetched on this one, and their processor is emulated.

The kernel hands their programs to qemu by its table of formats (binfmt_misc). The arithmetic is that of the emulated processor, rounding
included, so answers can be compared; times cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crossload.errors import EnvironmentProblem
from crossload.runtimes.environments import Script, pins_of, run_tool, uv_program
from crossload.runtimes.walls import engine

if TYPE_CHECKING:
    from docker import DockerClient

# The base image's Python and its C library (Debian 12), for which wheels are chosen.
_PYTHON, _LIBRARY = "3.11", "manylinux_2_36"


@dataclass(frozen=True)
class Processor:
    """The processor that stands for a platform: its machine (uname), qemu's name for it, and its lines of /proc/cpuinfo.

    qemu-user before 8.1 shows the host's /proc/cpuinfo, and LiteRT 2.3 dies of an Intel processor in it.
    """

    machine: str
    model: str
    features: str
    architecture: int
    part: str

    @property
    def cpuinfo(self) -> str:
        """The file as Linux writes it (arch/arm64/kernel/cpuinfo.c), for two cores."""
        about = (
            f"BogoMIPS\t: 108.00\nFeatures\t: {self.features}\nCPU implementer\t: 0x41\nCPU architecture: {self.architecture}\n"
            f"CPU variant\t: 0x1\nCPU part\t: {self.part}\nCPU revision\t: 0\n\n"
        )
        return "".join(f"processor\t: {core}\n{about}" for core in range(2))


PROCESSORS = {
    "arm64": Processor(  # that of the Raspberry Pi 5
        "aarch64",
        "cortex-a76",
        "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp",
        8,
        "0xd0b",
    )
}


def packages(source: Script, platform: str, folder: Path) -> dict[str, bytes | Path]:
    """The pinned packages of a worker for another platform, installed in `folder`; raises EnvironmentProblem if one has no wheel for it."""
    machine = PROCESSORS[platform].machine
    run_tool(
        [
            uv_program(), "pip", "install", "--quiet", "--python-platform", f"{machine}-{_LIBRARY}",
            "--python-version", _PYTHON, "--target", str(folder), "--no-deps", "--require-hashes", "--only-binary", ":all:",
            "-r", str(pins_of(source.path)),
        ],
        f"the environment of {source.path.stem} for linux/{platform}",
        "; choose a runtime that has such wheels (litert, tflite-runtime)",
    )  # fmt: skip
    return {f"packages/{file.relative_to(folder)}": file for file in sorted(folder.rglob("*")) if file.is_file()}


def check_base(client: DockerClient, base: str, platform: str) -> None:
    """Raise EnvironmentProblem for a base image that the engine has, but of another platform: it would be taken all the same."""
    found = engine.image(client, base)
    if found and found["Architecture"] != platform:
        raise EnvironmentProblem(
            f"the base image {base} is of {found['Architecture']}, not of {platform}; name one of linux/{platform}, --base IMAGE"
        )


def emulated(client: DockerClient, image: str, platform: str) -> Processor | None:
    """The processor that a container of this image has; None for the engine's own.

    Raises EnvironmentProblem if the engine's kernel runs no programs of the platform.
    """
    if architecture(client) == PROCESSORS[platform].machine:
        return None
    import docker

    with engine.told(f"starting a container of {image}"):
        try:
            client.containers.run(image, entrypoint=["/bin/true"], network_mode="none", remove=True, labels={engine.OWNER: engine.owner()})
        except docker.errors.ContainerError as error:
            said = (error.stderr or b"").decode(errors="replace")
            raise EnvironmentProblem(f"a container of {image} does not start: {engine.explained(said or str(error))}") from error
    return PROCESSORS[platform]


def architecture(client: DockerClient) -> str:
    """The engine's own machine, as uname names it."""
    return str(client.info()["Architecture"])
