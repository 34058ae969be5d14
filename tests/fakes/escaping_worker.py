"""A worker that tries to get out of its wall: `escaping_worker.py ATTEMPT [ARGUMENT…]`; it answers a request with what it reached.

It needs the standard library alone. A path is written @/etc/shadow: a wall shows a worker what its command names. {artifact} is the
artifact's path, {folder} its folder. An attempt that reaches something ends in an error that begins with ESCAPED, any other in CONFINED.
"""

import ctypes
import json
import os
import socket
import struct
import sys
import time
from pathlib import Path

attempt, arguments = sys.argv[1], sys.argv[2:]
out = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)


def read(count):
    data = sys.stdin.buffer.read(count)
    if len(data) < count:
        sys.exit(0)
    return data


def answer(header):
    text = json.dumps(header).encode()
    out.write(struct.pack("<Q", len(text)) + text)
    out.flush()


def tried(action, *given):
    """What an action reached, or why it failed."""
    try:
        action(*given)
    except OSError as error:
        return f"CONFINED: {error.strerror or error}"
    return f"ESCAPED: {action.__name__} {given}"


def reads(path):
    with open(path, "rb") as stream:  # noqa: PTH123
        stream.read(1)


def writes(path):
    with open(path, "ab") as stream:  # noqa: PTH123
        stream.write(b"x")


def connects(port):
    socket.create_connection(("127.0.0.1", int(port)), timeout=5).close()


def fills(path):
    with open(path, "wb") as stream:  # noqa: PTH123
        for _ in range(4096):
            stream.write(bytes(1 << 20))
            stream.flush()


def calls(name, *given):
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*given) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def kills(process):
    os.kill(int(process), 0)


def forks():
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.01)  # the machine has other tests to run


def eats():
    held = []
    while True:
        held.append(b"x" * (64 << 20))


def floods():
    while True:
        os.write(2, b"x" * (1 << 20))


def announces():
    out.write(struct.pack("<Q", 1 << 40))
    out.flush()


ATTEMPTS = {
    "reads": lambda: [tried(reads, path) for path in arguments],
    "writes": lambda: [tried(writes, path) for path in arguments],
    "connects": lambda: [tried(connects, port) for port in arguments],
    "fills": lambda: [tried(fills, path) for path in arguments],
    "kills": lambda: [tried(kills, process) for process in arguments],
    "mounts": lambda: [
        tried(calls, "mount", b"none", b"/tmp", b"tmpfs", 0, None),
        tried(calls, "unshare", 0x10000000),  # CLONE_NEWUSER
        tried(calls, "setns", 0, 0),
    ],
    "forks": forks,
    "eats": eats,
    "floods": floods,
    "announces": announces,
    "lists": lambda: [f"CONFINED: {sorted(p.name for p in Path(arguments[0]).iterdir())}"],
}

while True:
    (length,) = struct.unpack("<Q", read(8))
    request = json.loads(read(length))
    for tensor in request.get("inputs", []):
        read(tensor["parameters"]["binary_data_size"])
    if request["rpc"] == "ServerMetadata":
        about = {"language": "Python", "os": "linux", "arch": "any"}
        answer({"id": request["id"], "name": "escaping", "version": "1", "formats": ["tflite"], "parameters": about})
    elif request["rpc"] == "RepositoryModelLoad":
        artifact = Path(request["parameters"]["path"])
        arguments = [a.replace("@", "").format(artifact=artifact, folder=artifact.parent) for a in arguments]
        answer({"id": request["id"]})
    else:
        answer({"id": request["id"], "error": "; ".join(ATTEMPTS[attempt]() or ()), "code": "UNKNOWN"})
