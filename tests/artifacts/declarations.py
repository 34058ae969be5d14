"""Extracts the declarations of TensorFlow's messages from TensorBoard's: `python -m tests.artifacts.declarations` (make messages)."""

from typing import Any

from google.protobuf import descriptor_pb2
from tensorboard.compat.proto import config_pb2, event_pb2, meta_graph_pb2

from crossload.artifacts.messages import DECLARATIONS

_ROOTS = (meta_graph_pb2, config_pb2, event_pb2)


def extracted() -> bytes:
    """A FileDescriptorSet with the files in the order of their dependencies."""
    files: dict[str, Any] = {}
    for root in _ROOTS:
        _collect(root.DESCRIPTOR, files)
    found = descriptor_pb2.FileDescriptorSet(file=files.values())
    # tensorflow/core/protobuf/saved_model.proto, which TensorBoard does not have.
    file = found.file.add(
        name="tensorflow/saved_model.proto", package="tensorflow", syntax="proto3", dependency=["tensorflow/meta_graph.proto"]
    )
    saved_model, kind = file.message_type.add(name="SavedModel"), descriptor_pb2.FieldDescriptorProto
    saved_model.field.add(name="saved_model_schema_version", number=1, label=kind.LABEL_OPTIONAL, type=kind.TYPE_INT64)
    saved_model.field.add(
        name="meta_graphs", number=2, label=kind.LABEL_REPEATED, type=kind.TYPE_MESSAGE, type_name=".tensorflow.MetaGraphDef"
    )
    return bytes(found.SerializeToString(deterministic=True))


def _collect(descriptor: Any, files: dict[str, Any]) -> None:
    """The file and those it depends on, which come first."""
    if descriptor.name in files:
        return
    for dependency in descriptor.dependencies:
        _collect(dependency, files)
    made = descriptor_pb2.FileDescriptorProto()
    descriptor.CopyToProto(made)
    made.ClearField("options")
    files[descriptor.name] = _renamed(made)


def _renamed(file: Any) -> Any:
    """The file in the package `tensorflow`."""
    file.name = _name(file.name)
    file.package = file.package.replace("tensorboard", "tensorflow")
    file.dependency[:] = map(_name, file.dependency)
    pending = [*file.message_type]
    while pending:
        message = pending.pop()
        pending += message.nested_type
        for field in message.field:
            if field.HasField("type_name"):
                field.type_name = field.type_name.replace(".tensorboard.", ".tensorflow.")
    return file


def _name(file: str) -> str:
    return file.replace("tensorboard/compat/proto/", "tensorflow/")


if __name__ == "__main__":
    DECLARATIONS.write_bytes(extracted())
