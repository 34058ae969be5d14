# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["jpype1==1.7.1", "ml-dtypes==0.6.0", "numpy>=1.26"]
# ///
"""The runtime `tensorflow-java-jpype`: TensorFlow Java inside this Python process, through bindings/jpype."""

import os

from kit import wire

wire.own_streams()  # before anything that may print is imported
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

import crossload_jpype  # noqa: E402
import numpy as np  # noqa: E402
from crossload_jpype import jvm  # noqa: E402
from kit.serving import Answer, Refusal, Request, Server  # noqa: E402


class JavaModel:
    """A SavedModel or a graph, run by the names of its tensors."""

    note = None

    def __init__(self, request: Request) -> None:
        """Raises what the binding raises."""
        self._signatures = request.signatures
        if request.format == "saved_model":
            tags = ("serve",) if request.tags is None else request.tags
            self._model: crossload_jpype.SavedModelBundle | crossload_jpype.Graph = crossload_jpype.SavedModelBundle.load(
                request.path, tags
            )
        else:
            self._model = crossload_jpype.Graph.load(request.path)

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        """Run a signature."""
        binding = self._signatures[signature]
        feeds = [(name, binding["inputs"][name], array) for name, array in inputs.items()]
        fetches = [binding["outputs"][name] for name in outputs]
        arrays, took = self._model.run_timed(feeds, fetches)
        return Answer(dict(zip(outputs, arrays, strict=True)), took)

    def __del__(self) -> None:
        """An unloaded model's memory is freed at once."""
        if hasattr(self, "_model"):
            self._model.close()


def explain(error: Exception) -> Refusal | None:
    """Java's errors with the code they came with."""
    return Refusal(error.code, str(error)) if isinstance(error, crossload_jpype.TensorFlowJavaError) else None


def main() -> None:
    """Serve TensorFlow Java."""
    versions = crossload_jpype.versions()
    parameters = {
        "native": f"TensorFlow {versions['tensorflow']}",
        "java": versions["java"],
        "threads": os.cpu_count(),
        "datatypes": jvm.carried(),
    }
    formats = ["saved_model", "graph_def"]
    registered_ops = lambda: bytes(jvm.model_class().registeredOps())  # noqa: E731
    Server("tensorflow-java-jpype", versions["tensorflow-java"], formats, JavaModel, parameters, registered_ops, explain).serve()


if __name__ == "__main__":
    main()
