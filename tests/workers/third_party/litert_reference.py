# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["ai-edge-litert==2.3.0"]
# ///
"""A worker of one's own, whole: .tflite files run by LiteRT's reference kernels, the plain loops that its fast kernels must agree with."""

import json
import os
import platform
import struct
import sys
import time

protocol = os.fdopen(os.dup(1), "wb")  # standard output belongs to the protocol …
os.dup2(2, 1)  # … and what anyone prints goes to standard error

import numpy as np  # noqa: E402
from ai_edge_litert.interpreter import Interpreter, OpResolverType  # noqa: E402

DTYPES = {"BOOL": "?", "INT8": "i1", "INT16": "i2", "INT32": "i4", "INT64": "i8", "UINT8": "u1", "FP16": "f2", "FP32": "f4", "FP64": "f8"}
DATATYPES = {np.dtype(dtype): name for name, dtype in DTYPES.items()}


class Failure(Exception):
    """An answer that is a google.rpc.Code name and a sentence."""


def read(stream):
    """The next request with its inputs as arrays, None at the end."""
    prefix = stream.read(8)
    if len(prefix) < 8:
        return None, {}
    header = json.loads(stream.read(struct.unpack("<Q", prefix)[0]))
    raw = [(t, stream.read(t["parameters"]["binary_data_size"])) for t in header.get("inputs", [])]
    if strange := [t["datatype"] for t, _ in raw if t["datatype"] not in DTYPES]:
        return header, Failure("UNIMPLEMENTED", f"this worker does not carry {strange[0]}")
    return header, {t["name"]: np.frombuffer(data, DTYPES[t["datatype"]]).reshape(t["shape"]) for t, data in raw}


def entry(name, array):
    return {"name": name, "datatype": DATATYPES[array.dtype], "shape": array.shape, "parameters": {"binary_data_size": array.nbytes}}


def write(stream, header, outputs):
    """One response with its outputs."""
    if outputs is not None:
        header["outputs"] = [entry(name, array) for name, array in outputs.items()]
    text = json.dumps(header).encode()
    stream.write(struct.pack("<Q", len(text)) + text + b"".join(a.tobytes() for a in (outputs or {}).values()))
    stream.flush()


def infer(model, header, inputs):
    """Feed tensors by index, invoke, fetch tensors by index."""
    interpreter, signatures = model
    binding = signatures.get(header["parameters"]["signature_name"])
    if binding is None:
        raise Failure("NOT_FOUND", f"there is no such signature; there are: {', '.join(signatures)}")
    for name, array in inputs.items():
        interpreter.resize_tensor_input(binding["inputs"][name], array.shape)
    interpreter.allocate_tensors()
    for name, array in inputs.items():
        interpreter.set_tensor(binding["inputs"][name], array)
    start = time.perf_counter_ns()
    interpreter.invoke()
    response = {"parameters": {"nanoseconds": time.perf_counter_ns() - start}}
    return response, {o["name"]: interpreter.get_tensor(binding["outputs"][o["name"]]) for o in header["outputs"]}


def answer(models, header, inputs):
    """The response to one request, and its outputs."""
    if isinstance(inputs, Failure):
        raise inputs  # found while reading
    match header["rpc"]:
        case "ServerMetadata":
            host = {"language": f"Python {platform.python_version()}", "os": platform.system().lower(), "arch": platform.machine()}
            return {"name": "litert-reference", "version": "2.3.0", "formats": ["tflite"], "parameters": host}, None
        case "Echo":
            return {}, inputs
        case "RepositoryModelLoad":
            asked = header["parameters"]
            interpreter = Interpreter(asked["path"], experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
            models[header["model_name"]] = interpreter, asked["signatures"]
            return {"name": header["model_name"]}, None
        case "ModelInfer":
            return infer(models[header["model_name"]], header, inputs)
    raise Failure("UNIMPLEMENTED", f"this worker does not answer {header['rpc']}")


models = {}
while (request := read(sys.stdin.buffer))[0] is not None:
    response, arrays = {}, None
    try:
        response, arrays = answer(models, *request)
    except Failure as failure:
        response = {"code": failure.args[0], "error": failure.args[1]}
    except Exception as error:
        response = {"code": "INTERNAL", "error": str(error)}
    write(protocol, {"id": request[0]["id"], **response}, arrays)
