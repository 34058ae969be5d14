"""The kernels of a native TensorFlow library, as a serialised KernelList: `python native_kernels.py LIBRARY TARGET`.

It runs in its own process with one TensorFlow and nothing else, imports nothing of crossload and runs in any Python 3.
"""

import ctypes
import os
import sys
from pathlib import Path


class _Buffer(ctypes.Structure):
    """TF_Buffer (tensorflow/c/tf_buffer.h)."""

    _fields_ = [("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("deallocator", ctypes.c_void_p)]


def kernels(library: Path) -> bytes:
    """The serialised KernelList of libtensorflow_cc (2.x) or of libtensorflow_jni (1.15)."""
    if library.parent.name == "tensorflow":
        import tensorflow  # noqa: F401  # a wheel's modules register kernels of their own
    framework = ctypes.CDLL(str(next(library.parent.glob("libtensorflow_framework.so*"))), mode=ctypes.RTLD_GLOBAL)
    native = ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    return _by_c_api(native) if hasattr(native, "TF_GetAllRegisteredKernels") else _by_framework(framework)


def _by_c_api(native: ctypes.CDLL) -> bytes:
    native.TF_NewStatus.restype = ctypes.c_void_p
    native.TF_GetAllRegisteredKernels.restype = ctypes.POINTER(_Buffer)
    native.TF_GetAllRegisteredKernels.argtypes = [ctypes.c_void_p]
    found = native.TF_GetAllRegisteredKernels(native.TF_NewStatus()).contents
    return ctypes.string_at(found.data, found.length)


def _by_framework(framework: ctypes.CDLL) -> bytes:
    """The JNI library of 1.15 hides the C API; C++'s `KernelList GetAllRegisteredKernels()` returns to memory that the caller gives."""
    listed = ctypes.create_string_buffer(1024)
    get = framework._ZN10tensorflow23GetAllRegisteredKernelsEv
    get.argtypes, get.restype = [ctypes.c_void_p], None
    get(ctypes.addressof(listed))
    size = framework._ZNK10tensorflow10KernelList12ByteSizeLongEv
    size.argtypes, size.restype = [ctypes.c_void_p], ctypes.c_size_t
    length = size(ctypes.addressof(listed))
    serialised = ctypes.create_string_buffer(length)
    serialise = framework._ZNK6google8protobuf11MessageLite16SerializeToArrayEPvi
    serialise.argtypes, serialise.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int], ctypes.c_bool
    serialise(ctypes.addressof(listed), ctypes.addressof(serialised), length)
    return serialised.raw


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(kernels(Path(sys.argv[1])))
    os._exit(0)  # the list's destructor is not ours to call
