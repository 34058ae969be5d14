"""The TensorFlow process of an export: reads a job from a JSON file, writes artifacts, says what it wrote in a JSON file.

Run by exporters.bundle as `python -m crossload.exporters.process JOB.json`, in an environment that has TensorFlow; it imports nothing
of crossload that needs another library. Standard output is the user's: what a model's own code prints while it trains.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import traceback
from pathlib import Path
from typing import Any


def main(job_file: str) -> int:
    """Do the job; exit status 0 with the result, or 1 with `{"error": sentence}` in the result file."""
    job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    result_file = Path(job["result"])
    try:
        result = _do(job)
    except Exception as error:  # noqa: BLE001 - the user's model code may raise anything; the sentence crosses to the core
        traceback.print_exc()
        text = str(error).strip().splitlines() or [type(error).__name__]
        plain = type(error).__name__ in ("CannotExport", "CannotFreeze", "CannotConvert")
        result = {"error": text[0] if plain else f"{type(error).__name__}: {text[0]}"}
    result_file.write_text(json.dumps(result), encoding="utf-8")
    return 1 if "error" in result else 0


def _do(job: dict[str, Any]) -> dict[str, Any]:
    if job["task"] == "save":
        return _save(job)
    return _convert(job)


def _save(job: dict[str, Any]) -> dict[str, Any]:
    """Make the SavedModel of a .keras file or of what `file.py:function` returns (a model, or a model and named example inputs)."""
    from crossload.exporters.saved_model import save

    examples = None
    if function := job.get("function"):
        made = _call(Path(job["source"]), function)
        model, examples = made if isinstance(made, tuple) else (made, None)
    else:
        import keras

        model = keras.models.load_model(job["source"])
    save(model, Path(job["saved_model"]))
    if examples is not None:
        import numpy as np

        np.savez(job["examples"], **examples)
    return {"producer": _versions()}


def _convert(job: dict[str, Any]) -> dict[str, Any]:
    """Make the other formats of the SavedModel on disk; a format that cannot hold the model is told, not fatal."""
    left_out = {}
    for kind, target in job["targets"].items():
        print(f"converting to {kind}", file=sys.stderr, flush=True)
        try:
            if kind == "graph_def":
                from crossload.converters.freeze import freeze

                freeze(Path(job["saved_model"]), job["tags"], job["tensors"], Path(target))
            else:
                from crossload.converters.lite import to_tflite

                to_tflite(Path(job["saved_model"]), job["tags"], job["keys"], Path(target))
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - CannotFreeze, CannotConvert, or what TensorFlow raises for a model it cannot take
            traceback.print_exc()
            left_out[kind] = (str(error).strip().splitlines() or [type(error).__name__])[0][:500]
    return {"left_out": left_out, "producer": _versions()}


def _call(file: Path, function: str) -> Any:
    from crossload.exporters.saved_model import CannotExport

    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise CannotExport(f"{file} is no Python file")
    sys.path.insert(0, str(file.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    if not callable(getattr(module, function, None)):
        there = sorted(n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == file.stem)
        raise CannotExport(f"{file} has no function {function!r}; it has: {', '.join(there) or 'none'}")
    return getattr(module, function)()


def _versions() -> dict[str, str]:
    import keras
    import tensorflow as tf

    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "platform": f"{sys.platform}/{__import__('platform').machine()}",
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
