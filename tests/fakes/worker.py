"""A worker that doubles its input `x` into `y` (FP32, INT32), or misbehaves according to its arguments: `worker.py BEHAVIOUR [STATE_FILE]`.

It knows the contract by itself (standard library only), so a fault in crossload's own reader cannot hide in it.
Behaviours are of the form `<what>` or `<what>:<phase>`; with STATE_FILE a behaviour happens only once. FAKE_DATATYPES are the datatypes
that it reports (default: all); it refuses others.
"""

import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

behaviour, _, where = (sys.argv[1] if len(sys.argv) > 1 else "honest").partition(":")
state = Path(sys.argv[2]) if len(sys.argv) > 2 else None
carried = os.environ.get("FAKE_DATATYPES", "").split()
out = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)


def read(count):
    data = sys.stdin.buffer.read(count)
    if len(data) < count:
        sys.exit(0)
    return data


def request():
    (length,) = struct.unpack("<Q", read(8))
    header = json.loads(read(length))
    tensors = [read(t["parameters"]["binary_data_size"]) for t in header.get("inputs", [])]
    return header, tensors


def answer(header, *tensors):
    if bent == "header":
        header = {**header, **json.loads(os.environ["FAKE_HEADER"])}
    text = json.dumps(header).encode()
    out.write(struct.pack("<Q", len(text)) + text + b"".join(tensors))
    out.flush()


def die(name):
    os.kill(os.getpid(), getattr(signal, name))
    time.sleep(60)


def misbehave(phase):
    """Do what the behaviour requires before an answer in this phase; returns how to change the answer."""
    if where != phase or (state and state.exists()):
        return None
    if state:
        state.touch()
    if behaviour == "hang":
        time.sleep(600)
    elif behaviour == "late":
        time.sleep(1.5)
    elif behaviour == "die":
        print("Fatal: the fake is about to die", file=sys.stderr, flush=True)
        die("SIGSEGV")
    elif behaviour == "abort":
        die("SIGABRT")
    elif behaviour == "exit":
        sys.exit(7)
    elif behaviour == "leave":
        sys.exit(0)
    elif behaviour == "garbage":
        out.write(b"Hello from a library that prints to stdout\n" * 20)
        out.flush()
    elif behaviour == "huge":
        out.write(struct.pack("<Q", 1 << 63))
        out.flush()
        time.sleep(600)
    elif behaviour == "truncated":
        out.write(struct.pack("<Q", 1000) + b'{"id": ')
        out.flush()
        sys.exit(0)
    elif behaviour == "memory":
        ballast = bytearray(600 << 20)
        ballast[::4096] = b"x" * len(ballast[::4096])
        time.sleep(600)
    elif behaviour == "announce":
        tensor = {"name": "y", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": int(os.environ["FAKE_SIZE"])}}
        answer({"id": header["id"], "outputs": [tensor]}, b"a little of it")
        time.sleep(600)
    elif behaviour == "trickle":
        out.write(struct.pack("<Q", 1 << 20))
        while True:
            out.write(b" ")
            out.flush()
            time.sleep(0.1)
    elif behaviour in ("child", "daemon"):
        child = subprocess.Popen(["sleep", "600"], start_new_session=behaviour == "daemon")
        Path(os.environ["FAKE_PID_FILE"]).write_text(str(child.pid))
    elif behaviour == "mumble":
        for _ in range(64):
            os.write(2, b"no end of line " * (1 << 16))
    elif behaviour == "noise":
        print("W0000 noise on stderr\n" * 100000, file=sys.stderr, flush=True)
    return behaviour


loaded = None
bent = None
served = 0
calls = 0
if misbehave("import") == "never":
    pass
while True:
    header, tensors = request()
    own = {"id": header["id"]}
    rpc = header["rpc"]
    phase = {"ServerMetadata": "start", "RepositoryModelLoad": "load", "ModelInfer": "run"}.get(rpc, rpc)
    bent = misbehave(phase)
    if bent == "wrong-id":
        own["id"] = "999"
    if (bent == "scalars" and header["inputs"][0]["shape"]) or (bent == "first" and header["parameters"]["signature_name"] != "s0"):
        answer({**own, "error": f"the fake takes {bent} alone", "code": "INTERNAL"})
        continue
    if bent == "error":
        answer({**own, "error": os.environ.get("FAKE_ERROR", "the fake declines"), "code": os.environ.get("FAKE_CODE", "INTERNAL")})
        continue
    if rpc == "ServerMetadata":
        about = {"language": "Python", "os": "linux", "arch": "x86_64", **({"datatypes": carried} if carried else {})}
        answer({**own, "name": "fake", "version": "1.0", "formats": ["tflite"], "parameters": about} if bent != "no-version" else own)
    elif rpc == "RepositoryModelLoad":
        loaded = header["parameters"]["path"]
        served += 1
        calls = 0
        if behaviour == "poisoned" and served > 1:
            die("SIGSEGV")
        answer({**own, "name": "m"})
    elif rpc == "Echo":
        answer({**own, "outputs": header["inputs"]}, *((t[::-1] for t in tensors) if bent == "wrong-value" else tensors))
    elif rpc == "ModelInfer":
        entry = header["inputs"][0]
        if carried and (lacked := [t["datatype"] for t in header["inputs"] if t["datatype"] not in carried]):
            answer({**own, "error": f"the fake has no tensor type for {lacked[0]}", "code": "UNIMPLEMENTED"})
            continue
        count = len(tensors[0]) // 4
        layout = f"<{count}{'i' if entry['datatype'] == 'INT32' else 'f'}"
        calls += 1
        more = calls if behaviour == "count" else os.getpid() + time.monotonic_ns() % 9973 if behaviour == "draw" else 0
        values = [2 * v + more for v in struct.unpack(layout, tensors[0])]
        output = {**entry, "name": "y"}
        data = struct.pack(layout, *values)
        if bent == "wrong-value":
            data = struct.pack(layout, *(v + 1 for v in values))
        elif bent == "great-value":
            data = struct.pack(layout, *(v + 1000 for v in values))
        elif bent == "nan":
            data = struct.pack(f"<{count}f", *(float("nan") for _ in values))
        elif bent == "wrong-datatype":
            output["datatype"] = "INT32" if entry["datatype"] != "INT32" else "FP32"
        elif bent == "wrong-shape":
            output["shape"] = [count, 1]
        elif bent == "fewer-rows":
            output["shape"], data = [1], data[:4]
            output["parameters"] = {"binary_data_size": 4}
        elif bent == "wrong-size":
            output["parameters"] = {"binary_data_size": len(data) - 1}
        elif bent == "missing-output":
            answer({**own, "outputs": []})
            continue
        elif bent == "extra-output":
            answer({**own, "outputs": [output, {**output, "name": "z"}]}, data, data)
            continue
        answer({**own, "outputs": [output], "parameters": {"nanoseconds": 1000}}, data)
        if bent == "twice":
            answer({**own, "outputs": [output]}, data)
    elif rpc == "RepositoryModelUnload":
        answer(own)
    else:
        answer({**own, "error": f"no {rpc}", "code": "UNIMPLEMENTED"})
    if behaviour == "die-at-exit" and rpc == "ModelInfer":
        import atexit

        atexit.register(die, "SIGABRT")
