"""The container engine, by the docker SDK: connect, build, create, remove; every refusal is a sentence with the next step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from crossload.errors import EnvironmentProblem

if TYPE_CHECKING:
    from docker import DockerClient

OWNER = "io.crossload.owner"


def connect() -> DockerClient:
    """The engine of $DOCKER_HOST, or the local one; raises EnvironmentProblem if there is none that this user may use."""
    try:
        import docker
    except ModuleNotFoundError as error:
        raise EnvironmentProblem("containers need the docker SDK for Python; install it: pip install 'crossload[docker]'") from error
    try:
        client = docker.from_env(timeout=600)
        client.ping()
    except (docker.errors.DockerException, ValueError) as error:  # a ValueError: no address, such as tcp://[
        raise EnvironmentProblem(_unreachable(str(error))) from error
    return client


def _unreachable(said: str) -> str:
    place = os.environ.get("DOCKER_HOST", "/var/run/docker.sock")
    if "Permission denied" in said or "PermissionError" in said:
        return f"this user may not use the container engine at {place}; add the user to the socket's group (docker), and log in again"
    return (
        f"no container engine answers at {place}; start one (Debian: apt-get install docker.io), or name its socket in DOCKER_HOST "
        "(podman: systemctl --user start podman.socket)"
    )


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Every refusal of the engine as an EnvironmentProblem that begins with what was being done."""
    import docker
    import requests

    try:
        yield
    except docker.errors.DockerException as error:
        said = getattr(error, "explanation", None) or str(error)
        raise EnvironmentProblem(f"{doing}: {explained(str(said))}") from error
    except (requests.exceptions.RequestException, OSError) as error:
        raise EnvironmentProblem(f"{doing}: the engine went away ({type(error).__name__}); is it running? docker info tells") from error


def explained(said: str) -> str:
    """The engine's own reason with the next step."""
    for sign, step in (
        ("no space left on device", "the engine's disk is full: docker system prune frees what nothing uses"),
        (
            "exec format error",
            "this kernel runs no programs of the image's platform: install an emulator (Debian: apt-get install qemu-user-static), and "
            "register it where no systemd does (mount -t binfmt_misc none /proc/sys/fs/binfmt_misc; /usr/lib/systemd/systemd-binfmt)",
        ),
        ("pull access denied", "the base image is not there and no registry gives it: name one that the engine has, --base IMAGE"),
        ("/v2/", "the base image is not there, and no registry gives it: name one that the engine has, --base IMAGE"),
        ("No such image", "the base image is not there: name one that the engine has, --base IMAGE"),
        ("bind source path does not exist", "the engine's host does not have that folder: run crossload where the engine runs"),
    ):
        if sign.lower() in said.lower():
            return f"{step} ({said.strip()[-800:]})"
    return said.strip()[-1200:]


def image(client: DockerClient, name: str) -> dict[str, Any] | None:
    """What the engine says of an image; None if it has none of this name."""
    import docker

    with told(f"asking for the image {name}"):
        try:
            return dict(client.images.get(name).attrs)
        except docker.errors.ImageNotFound:
            return None


def build(
    client: DockerClient,
    context: IO[bytes],
    name: str,
    labels: Mapping[str, str],
    arguments: Mapping[str, str],
    progress: Callable[[str], None],
    platform: str = "",
) -> None:
    """Build an image from a tar of its context; the steps go to `progress`. Raises EnvironmentProblem with the step's own output.

    `platform` is the image's if it is not the engine's own (`arm64`).
    """
    last: list[str] = []
    with told(f"building {name}"):
        stream = client.api.build(
            fileobj=context, custom_context=True, tag=name, labels=dict(labels), buildargs=dict(arguments), network_mode="host", rm=True,
            forcerm=True, decode=True, platform=f"linux/{platform}" if platform else None,
        )  # fmt: skip
        for event in stream:
            text = event.get("stream", "").rstrip()
            if text.startswith("Step "):
                progress(f"{name}: {text}")
            elif text:
                last = [*last, text][-8:]
            if error := event.get("error"):
                words = f"; its last words: {' | '.join(last)[-800:]}" if last else ""
                raise EnvironmentProblem(f"{name} cannot be built: {explained(error + words)}")


def mount(folder: Path, place: str) -> dict[str, Any]:
    """A folder of this host in a container, read-only. The engine refuses one that its own host does not have (a volume it would make)."""
    return {"Type": "bind", "Source": str(folder), "Target": place, "ReadOnly": True}


def reap(client: DockerClient) -> int:
    """Remove containers whose crossload is gone (`kill -9`); returns how many."""
    removed = 0
    with told("removing the containers of a crossload that is gone"):
        for container in client.containers.list(all=True, filters={"label": OWNER}, ignore_removed=True):
            if not _lives(container.labels.get(OWNER, "")):
                with suppress(Exception):  # another crossload may be removing it
                    container.remove(force=True)
                removed += 1
    return removed


def owner() -> str:
    """This process, as nobody else will ever be named: the boot, the number, the time of its start."""
    return f"{_boot()}:{os.getpid()}:{_started(os.getpid())}"


def _lives(name: str) -> bool:
    boot, _, rest = name.partition(":")
    number, _, started = rest.partition(":")
    return not (boot == _boot() and number.isdigit() and _started(int(number)) != started)


def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return os.uname().nodename


def _started(process: int) -> str:
    """When a process started, in clock ticks since the boot (proc(5), stat, field 22); empty if there is no such process."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    return ""
