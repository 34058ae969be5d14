"""The datatypes of a node's outputs from its attributes, as far as known without TensorFlow's op registry (op_def.proto)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crossload.contract.datatypes import from_enum

UNKNOWN = "DT_0"
INPUT_OPS = ("_Arg", "Placeholder", "PlaceholderV2", "PlaceholderWithDefault")
# Sources of the training input: a session may feed these tensors instead.
FEED_OPS = {
    "IteratorGetNext", "OneShotIterator", "QueueDequeue", "QueueDequeueMany", "QueueDequeueManyV2", "QueueDequeueUpTo",
    "QueueDequeueUpToV2", "QueueDequeueV2",
}  # fmt: skip
# Ops whose outputs do not have the datatype of their attributes (tensorflow/core/ops/*.cc).
_FIXED_OPS = {
    "BOOL": "All Any Equal Greater GreaterEqual InTopK InTopKV2 IsFinite IsInf IsNan IsVariableInitialized Less LessEqual LogicalAnd "
    "LogicalNot LogicalOr LoopCond NotEqual RegexFullMatch StaticRegexFullMatch",
    "BYTES": "AsString DecodeBase64 EncodeBase64 EncodeJpeg EncodePng ReadFile ReduceJoin RegexReplace StaticRegexReplace "
    "StringJoin StringLower StringStrip StringUpper Substr",
    "INT32": "NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3 Rank StringLength",
    "INT64": "LookupTableSize LookupTableSizeV2 StringToHashBucket StringToHashBucketFast StringToHashBucketStrong Where",
    "UINT8": "DecodeBmp DecodeGif DecodeJpeg",
    "FP32": "ExtractGlimpse FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars ResizeBicubic ResizeBilinear",
}
_FIXED = {op: datatype for datatype, ops in _FIXED_OPS.items() for op in ops.split()}
# Outputs whose datatype has its own attribute, with the default in case the exporter stripped it.
_OWN_ATTRIBUTES = {
    "ArgMax": (("output_type", "INT64"),),
    "ArgMin": (("output_type", "INT64"),),
    "Shape": (("out_type", "INT32"),),
    "Size": (("out_type", "INT32"),),
    "TopK": (("T", UNKNOWN), ("", "INT32")),
    "TopKV2": (("T", UNKNOWN), ("index_type", "INT32")),
    "Unique": (("T", UNKNOWN), ("out_idx", "INT32")),
    "UniqueV2": (("T", UNKNOWN), ("out_idx", "INT32")),
}
# For all others with several type attributes: the one that describes an output rather than an input.
_TYPE_ATTRIBUTES = (
    "DstT", "out_type", "output_type", "output_dtype", "Tout", "output_types", "out_types", "Toutput", "dtype", "type", "Tparams", "T",
    "value_dtype", "Tvalues", "component_types",
)  # fmt: skip
_COUNT_ATTRIBUTES = {"Split": "num_split", "SplitV": "num_split", "Unpack": "num"}
_MOST_OUTPUTS = 1024


def attribute(node: Any, name: str, absent: str = UNKNOWN) -> str:
    """The datatype in an attribute of a node; `absent` if the node lacks the attribute."""
    return from_enum(node.attr[name].type) if name in node.attr else absent


def output_datatypes(node: Any, functions: Mapping[str, Any]) -> tuple[str, ...]:
    """One datatype per output, as far as the node states them; an unknown op gets one output, `DT_0`.

    `functions` are the graph's own (an OpDef by name), which nodes may call like ops. Empty: an op without outputs.
    """
    if node.op in functions:
        return _of_function(node, functions[node.op])
    if node.op in _FIXED:
        return (_FIXED[node.op],)
    if node.op in _OWN_ATTRIBUTES:
        return tuple(attribute(node, name, absent) for name, absent in _OWN_ATTRIBUTES[node.op])
    name = next((name for name in _TYPE_ATTRIBUTES if name in node.attr), "")
    if name and node.attr[name].WhichOneof("value") == "list":
        return tuple(from_enum(number) for number in node.attr[name].list.type)
    return (attribute(node, name),) * _count(node, _COUNT_ATTRIBUTES.get(node.op, ""), least=1)


def _of_function(node: Any, signature: Any) -> tuple[str, ...]:
    found: list[str] = []
    for argument in signature.output_arg:
        if argument.type_list_attr in node.attr:
            found += [from_enum(number) for number in node.attr[argument.type_list_attr].list.type]
        else:
            datatype = from_enum(argument.type) if argument.type else attribute(node, argument.type_attr)
            found += [datatype] * _count(node, argument.number_attr, least=0)
    return tuple(found)


def _count(node: Any, name: str, least: int) -> int:
    return max(least, min(node.attr[name].i, _MOST_OUTPUTS)) if name in node.attr else 1
