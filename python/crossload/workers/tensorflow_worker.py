# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tensorflow-cpu==2.21.0", "ml-dtypes", "numpy", "protobuf"]
# ///
"""The runtime `tensorflow`: TensorFlow by its C API, which loads SavedModels, graphs and checkpoints. It records the reference's answers.

A SavedModel is loaded as the C++ loader does (variables, assets, init op) and called by its SignatureDefs, as a receiver calls it;
signatures without a key are called by their tensors' names. `tensorflow+python` is the same release as Python users load it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from kit import wire

wire.own_streams()  # before a library may print
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from kit import c_api, checkpoint_files, graph_defs  # noqa: E402
from kit.serving import OPERATOR_TIMES, Answer, Model, OperatorTime, Refusal, Request, Server, nanoseconds  # noqa: E402

FORMATS = ["saved_model", "graph_def", "checkpoint", "meta_graph"]
PYTHON = "the runtime tensorflow+python may load it"
# Their time is that of the operations they call.
CALLS = {"PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf", "While", "StatelessWhile", "Case", "StatelessCase"}
_LABEL = re.compile(r" = (\w+)\(")
_NODE = re.compile(r"\[\[\{\{node ([^}]*)\}\}")
INITIALIZERS = "table_initializer"  # the collection of TensorFlow 1 (python/framework/ops.py, GraphKeys.TABLE_INITIALIZERS)


class SessionModel:
    """A graph in a session, run by its tensors."""

    note: str | None = None
    operator_times = False

    def __init__(self, session: c_api.Session, signatures: dict[str, dict[str, Any]], results: dict[str, str] | None = None) -> None:
        """`signatures` are bindings to `operation:index`; `results` maps a `_Retval` node to the tensor it returns. Raises Refusal."""
        self._session, self._results = session, results or {}
        self._takes = {
            name: {n: self._input(self._tensor(n, bound)) for n, bound in binding["inputs"].items()} for name, binding in signatures.items()
        }
        self._gives = {name: {n: self._tensor(n, bound) for n, bound in binding["outputs"].items()} for name, binding in signatures.items()}

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        """Feed the inputs, fetch the outputs."""
        takes, gives = self._takes[signature], self._gives[signature]
        graph_defs.check_inputs(signature, inputs, takes)
        # Two inputs may be one tensor, which is fed once; the core gives both the same value.
        specs = {name: takes[name].spec for name in inputs}
        feeds = {(spec.operation, spec.index): (spec, inputs[name]) for name, spec in specs.items()}
        traces: list[bytes] = []
        traced = traces.append if self.operator_times else None
        results, took = nanoseconds(lambda: self._session.run(list(feeds.values()), [gives[n] for n in outputs], traced=traced))
        return Answer(dict(zip(outputs, results, strict=True)), took, operators=_operators(traces))

    def _tensor(self, name: str, bound: str) -> c_api.Output:
        found, index = graph_defs.tensor(name, bound, self._results, self._session.operation, self._session.operation_names)
        return c_api.Output(found, index)

    def _input(self, output: c_api.Output) -> graph_defs.Input:
        number, shape = self._session.datatype_and_shape(output)
        name = c_api.messages("tensorflow.core.framework.types_pb2").DataType.Name(number)
        return graph_defs.Input(output, c_api.DATATYPES.get(number), shape, name.removeprefix("DT_").lower())


def _operators(traces: Iterable[bytes]) -> list[OperatorTime]:
    """The operations of RunMetadata's step_stats (step_stats.proto), in the order of their start; those that call others are left out.

    A time is that of the kernel's computation (op_start_rel to op_end_rel). Source and sink, which compute nothing, have no label.
    """
    message = c_api.messages("tensorflow.core.protobuf.config_pb2").RunMetadata
    nodes = [n for trace in traces for device in message.FromString(trace).step_stats.dev_stats for n in device.node_stats]
    found = []
    for node in sorted(nodes, key=lambda n: n.all_start_nanos):
        op = _LABEL.search(node.timeline_label)
        if op and op[1] not in CALLS:
            found.append(OperatorTime(op[1], node.op_end_rel_nanos - node.op_start_rel_nanos, node.node_name))
    return found


def load(request: Request) -> Model:
    """Load any of the formats; raises Refusal."""
    graph_defs.load_op_libraries(request.options.get("op_libraries", ()), c_api.load_op_library, c_api.VERSION)
    loaders = {"saved_model": load_saved_model, "graph_def": load_graph_def}
    model = loaders.get(request.format, load_meta_graph)(request)
    model.operator_times = bool(request.options.get(OPERATOR_TIMES))
    return model


def _threads(request: Request) -> int | None:
    """The option `threads`: how many compute one op. Another number may change a sum's order, and with it the last bits."""
    return request.options.get("threads")


def load_saved_model(request: Request) -> SessionModel:
    """A SavedModel's signatures, each as its SignatureDef binds it. Raises Refusal for a key or names that the SavedModel does not have."""
    try:
        session, message = c_api.Session.of_saved_model(request.path, request.tags or [], _threads(request))
    except c_api.TensorFlowError as error:
        if "matching supplied tags" in str(error):
            raise Refusal(
                "NOT_FOUND", f"{request.path} has no MetaGraph of the tags {request.tags}; it has: {_tag_sets(request.path)}"
            ) from error
        if node := _NODE.search(str(error)):  # of a saver or of the init op: other errors of loading name no node
            cause = graph_defs.refusal(error.code, str(error))
            raise Refusal(cause.code, f"loading {request.path} runs the node {node[1]!r}, which fails: {cause}") from error
        raise
    there = c_api.messages("tensorflow.core.protobuf.meta_graph_pb2").MetaGraphDef.FromString(message).signature_def
    return SessionModel(session, {name: _by_signature_def(request.path, binding, there) for name, binding in request.signatures.items()})


def _by_signature_def(path: str, binding: dict[str, Any], there: Any) -> dict[str, Any]:
    """The binding with the tensors that the SignatureDef of its key names; unchanged if it has no key."""
    key = binding.get("key")
    if key is None:
        return binding
    if key not in there:
        raise Refusal("NOT_FOUND", f"{path} has no signature {key}; it has: {', '.join(sorted(there)) or 'none'}")
    bound = {}
    for side in ("inputs", "outputs"):
        infos = getattr(there[key], side)
        bound[side] = {name: _tensor_name(infos, name, tensor) for name, tensor in binding[side].items()}
        if unknown := sorted(name for name, tensor in bound[side].items() if tensor is None):
            raise Refusal(
                "NOT_FOUND", f"the signature {key} of {path} has no {side[:-1]} {unknown[0]!r}; it has: {', '.join(sorted(infos))}"
            )
    return {**binding, **bound}


def _tensor_name(infos: Any, name: str, tensor: str) -> str | None:
    """The tensor of a signature's input or output; a part of a sparse or composite one, `name/part`, is bound by its own tensor."""
    if name in infos and infos[name].WhichOneof("encoding") == "name":
        return str(infos[name].name)
    whole = name.rpartition("/")[0]
    return tensor if whole in infos or name in infos else None


def _tag_sets(path: str) -> str:
    message = c_api.messages("tensorflow.core.protobuf.saved_model_pb2").SavedModel
    found = Path(path, "saved_model.pb")
    saved_model = checkpoint_files.parsed(found if found.is_file() else found.with_suffix(".pbtxt"), message)
    return ", ".join(str(sorted(m.meta_info_def.tags)) for m in saved_model.meta_graphs)


def load_graph_def(request: Request) -> SessionModel:
    """A .pb or .pbtxt, as a receiver would import it: nothing in it is run first. Raises Refusal."""
    graph_def = graph_defs.read(Path(request.path), c_api.messages("tensorflow.core.framework.graph_pb2").GraphDef)
    results = graph_defs.make_runnable(graph_def)
    return SessionModel(c_api.Session.of_graph_def(graph_def.SerializeToString(), _threads(request)), request.signatures, results)


def load_meta_graph(request: Request) -> SessionModel:
    """A .meta with the checkpoint beside it, its variables restored by its saver's operation or by their names, its tables filled.

    Raises Refusal.
    """
    try:
        message = c_api.messages("tensorflow.core.protobuf.meta_graph_pb2").MetaGraphDef
        meta_graph, checkpoint = checkpoint_files.meta_graph_of(Path(request.path), message)
    except checkpoint_files.CannotRestore as error:
        raise Refusal("INVALID_ARGUMENT", str(error)) from error
    graph_def, saver = meta_graph.graph_def, meta_graph.saver_def
    checkpoint_files.clear_devices(graph_def)
    variables = sorted(n.name for n in graph_def.node if n.op in checkpoint_files.VARIABLES)
    restores, file_tensor = [saver.restore_op_name], saver.filename_tensor_name
    if not saver.restore_op_name:
        restores, file_tensor = checkpoint_files.add_saver(graph_def)
    session, left_out = _imported(meta_graph, request)
    if checkpoint is None and variables:
        raise Refusal(
            "INVALID_ARGUMENT",
            f"the graph has {len(variables)} variables ({', '.join(variables[:3])} …) and there is no checkpoint beside it; "
            "put the checkpoint's files beside the .meta, under the same name",
        )
    if checkpoint is not None and (variables or saver.restore_op_name):
        file_name, index = graph_defs.tensor("checkpoint", file_tensor, {}, session.operation, session.operation_names)
        prefix = np.array(os.fsencode(checkpoint), dtype=object)
        session.run([(c_api.Output(file_name, index), prefix)], [], _operations(session, restores))
    if names := [os.fsdecode(n) for n in meta_graph.collection_def[INITIALIZERS].node_list.value]:
        session.run([], [], _operations(session, names))
    model = SessionModel(session, request.signatures)
    by_name = checkpoint is not None and not saver.restore_op_name
    notes = (
        checkpoint_files.moved(Path(request.path)),
        left_out,
        "its variables were restored by their names: it has no saver" if by_name else None,
    )
    model.note = "; ".join(filter(None, notes)) or None
    return model


def _imported(meta_graph: Any, request: Request) -> tuple[c_api.Session, str | None]:
    """The graph in a session, without nodes of unregistered ops that no signature needs; and what to say about them."""
    try:
        return c_api.Session.of_graph_def(meta_graph.graph_def.SerializeToString(), _threads(request)), None
    except c_api.TensorFlowError as error:
        if "Op type not registered" not in str(error):
            raise
        known = {op.name for op in c_api.messages("tensorflow.core.framework.op_def_pb2").OpList.FromString(c_api.registered_ops()).op}
        pruned = checkpoint_files.prune(meta_graph, checkpoint_files.operations(request.signatures), known.__contains__)
        if not pruned:
            raise
    return c_api.Session.of_graph_def(meta_graph.graph_def.SerializeToString(), _threads(request)), checkpoint_files.said_of(pruned)


def _operations(session: c_api.Session, names: list[str]) -> list[int]:
    """Handles of operations, which may have no outputs."""
    found = {name: session.operation(name.partition(":")[0]) for name in names}
    if absent := [name for name, operation in found.items() if operation is None]:
        raise Refusal("INVALID_ARGUMENT", f"the .meta says to run {absent[0]!r}, which is not in its graph; {PYTHON}")
    return [operation[0] for operation in found.values() if operation]


def explain(error: Exception) -> Refusal | None:
    """TensorFlow's errors with their own code and the line of their message that names the cause."""
    return graph_defs.refusal(error.code, str(error)) if isinstance(error, c_api.TensorFlowError) else None


def serve() -> None:
    """Serve this interpreter's TensorFlow."""
    parameters = {
        "native": f"TensorFlow {c_api.VERSION}",
        "api": "C",
        "threads": os.cpu_count(),
        "onednn": c_api.with_onednn(),
        "options": ["threads", OPERATOR_TIMES],
    }
    Server("tensorflow", c_api.VERSION, FORMATS, load, parameters, c_api.registered_ops, explain).serve()


if __name__ == "__main__":
    serve()
