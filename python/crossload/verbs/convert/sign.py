"""Functions of a SavedModel without a signature as signatures: TensorFlow's process writes the SavedModel again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from crossload import artifacts
from crossload.artifacts.content import in_words
from crossload.artifacts.graphs import object_graph
from crossload.errors import CrossloadError
from crossload.runtimes import tf_process
from crossload.runtimes.tf_process import Step
from crossload.support import temporary
from crossload.support.text import near


@contextmanager
def signed(
    source: Path, functions: Sequence[str], tags: Sequence[str] | None, load_with: str, progress: Callable[[str], None]
) -> Iterator[Path]:
    """The SavedModel with these functions (`FUNCTION`, `KEY=FUNCTION`) as signatures, in a temporary copy; without functions, the source.

    Raises CrossloadError.
    """
    if not functions:
        yield source
        return
    found = artifacts.read(source)
    if found.format != "saved_model":
        more = "; name its tensors instead, with --output-tensor NAME=TENSOR" if found.format in ("tflite", "graph_def") else ""
        raise CrossloadError(f"--sign takes the functions of a SavedModel, and {source} is {in_words(found.format)}{more}")
    wanted = found.meta_graph(tags)
    named = named_functions(functions, object_graph.function_names(wanted.proto), source)
    options = {"functions": named, "tags": list(wanted.tags)}
    python = tf_process.python_with_tensorflow(runtime=load_with, progress=progress)
    with temporary.scratch() as room:
        target = room / source.resolve().name
        step = Step("sign_functions", source.resolve(), target, f"signing {', '.join(named.values())}", options=options)
        tf_process.run([step], python, f"{source} cannot be signed", progress)
        yield target


def named_functions(texts: Sequence[str], there: Sequence[str], source: Path) -> Mapping[str, str]:
    """The functions by the keys of their signatures. Raises CrossloadError for an unknown function or a key given twice."""
    found: dict[str, str] = {}
    for text in texts:
        key, _, function = text.rpartition("=")
        if function not in there:
            listing = ", ".join(there) or "none: it is a graph of TensorFlow 1, so name its tensors with --output-tensor"
            raise CrossloadError(f"--sign {text}: {source} has no function {function!r}{near(function, there)}; there are: {listing}")
        key = key or function
        if key in found:
            raise CrossloadError(f"--sign {text}: two functions would be the signature {key!r}; write --sign OTHER={function}")
        found[key] = function
    return found
