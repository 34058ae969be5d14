"""Libraries of custom ops that models are known to need: the ops that each registers, the package and the files that hold it.

The names are those in the REGISTER_OP calls of the projects' public sources.
"""

from __future__ import annotations

from typing import NamedTuple


class AddOn(NamedTuple):
    """A library: its name, its package on PyPI, its shared objects below site-packages; ops by name, or by how their names begin."""

    name: str
    package: str
    files: str
    prefixes: tuple[str, ...] = ()
    ops: frozenset[str] = frozenset()


ADD_ONS = (
    AddOn("TensorFlow Addons", "tensorflow-addons", "tensorflow_addons/custom_ops/*/_*.so", ("Addons>",)),
    AddOn(
        "TensorFlow Text",
        "tensorflow-text",
        "tensorflow_text/**/_*.so",
        ("TFText>",),
        frozenset(
            {
                "CaseFoldUTF8", "ConstrainedSequence", "FindSourceOffsets", "MaxSpanningTree", "NormalizeUTF8",
                "NormalizeUTF8WithOffsetsMap", "RegexSplitWithOffsets", "RougeL", "SentenceFragments", "SentencepieceDetokenizeOp",
                "SentencepieceIdToStringOp", "SentencepieceOp", "SentencepieceStringToIdOp", "SentencepieceTokenizeOp",
                "SentencepieceTokenizeWithOffsetsOp", "SentencepieceVocabSizeOp", "SplitMergeTokenizeWithOffsets", "TokenizerFromLogits",
                "UnicodeScriptTokenizeWithOffsets", "WhitespaceTokenizeWithOffsets", "WordpieceTokenizeWithOffsets",
            }
        ),
    ),
    AddOn(
        "TensorFlow Decision Forests",
        "tensorflow-decision-forests",
        "tensorflow_decision_forests/tensorflow/ops/inference/inference.so",
        ("SimpleML",),
    ),
    AddOn(
        "TensorFlow Recommenders Addons",
        "tensorflow-recommenders-addons",
        "tensorflow_recommenders_addons/dynamic_embedding/core/_*.so",
        ("TFRA>",),
    ),
    AddOn("SentencePiece", "tf-sentencepiece", "tf_sentencepiece/_sentencepiece_processor_ops.so*", ("Sentencepiece",)),
    AddOn("TensorFlow I/O", "tensorflow-io", "tensorflow_io/python/ops/libtensorflow_io*.so", ("IO>",)),
)  # fmt: skip


def of(op: str) -> AddOn | None:
    """The library that is known to register an op."""
    return next((a for a in ADD_ONS if op in a.ops or op.startswith(a.prefixes)), None)


def sentence(op: str) -> str:
    """Where an op that no release registers comes from, and how to load it."""
    if found := of(op):
        return (
            f"an op of {found.name} (PyPI: {found.package}); in TensorFlow's workers --op-library loads its library, "
            f"site-packages/{found.files}"
        )
    return "in no release known here: it is misspelt, or an op of a custom library, which --op-library loads in TensorFlow's workers"
