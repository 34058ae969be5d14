"""TensorFlow's protocol buffers without TensorFlow: the classes of GraphDef, MetaGraphDef, SavedModel, Event and all that they hold.

`tensorflow.binpb` is a FileDescriptorSet (descriptor.proto): TensorBoard's copy of the declarations under TensorFlow's names;
`make messages` writes it. The classes live in a pool of their own, because a process may also have TensorFlow's or TensorBoard's.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from crossload.support.once import once

try:
    # protobuf's C classes alone: the Python modules around them take more time than parsing a model.
    from google._upb._message import DescriptorPool, MessageMeta
except ImportError:  # protobuf in pure Python
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass as _class
else:

    def _class(descriptor: Any) -> Any:
        return MessageMeta(descriptor.name, (Message,), {"DESCRIPTOR": descriptor, "__module__": None})


DECLARATIONS = Path(__file__).with_name("tensorflow.binpb")


@cache
def message_class(name: str) -> Any:
    """The class of a declared message by its full name, `tensorflow.GraphDef`; raises KeyError for any other name."""
    return _class(_pool().FindMessageTypeByName(name))


def declare(file: bytes) -> None:
    """Add the messages of a serialised FileDescriptorProto, which may depend on TensorFlow's."""
    _pool().AddSerializedFile(file)


@once
def _pool() -> Any:
    pool = DescriptorPool()
    for file in _files(DECLARATIONS.read_bytes()):
        pool.AddSerializedFile(file)
    return pool


def _files(content: bytes) -> Iterator[bytes]:
    """The serialised files of a FileDescriptorSet, `repeated FileDescriptorProto file = 1`; each follows those it depends on."""
    at = 0
    while at < len(content):
        at += 1  # the tag
        size = shift = 0
        while True:
            byte = content[at]
            at, size, shift = at + 1, size | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                break
        yield content[at : at + size]
        at += size
