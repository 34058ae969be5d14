"""The TensorFlow process: takes jobs until its standard input ends; each is a JSON file of steps, and its results are another.

Run by runtimes.tf_process as `python -m crossload.tf_process`, in an environment that has TensorFlow; it imports nothing of
crossload that needs another library. Standard output is the user's: what a model's own code prints while it trains.
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crossload.errors import CrossloadError
from crossload.releases import add_ons
from crossload.tf_process.steps import STEPS
from crossload.workers.kit.errors import KitError

# Lines of TensorFlow's messages that say where something happened, or guess why, before the line that names the cause.
_UNTELLING = (
    "Graph execution error", "Restoring from checkpoint failed", "Detected at node", "<stack traces", "Node: ", "File ", "Traceback",
)  # fmt: skip
_UNKNOWN_OP = re.compile(r"Op type not registered '([^']*)'")


def main() -> None:
    """Do the jobs whose files standard input names, one a line, and print the line `done` of each after it."""
    jobs = os.fdopen(os.dup(0), encoding="utf-8")
    with Path(os.devnull).open("rb") as nothing:  # a model's code that asks its user gets no answer
        os.dup2(nothing.fileno(), 0)
    for line in jobs:
        job = json.loads(Path(line.rstrip("\n")).read_text(encoding="utf-8"))
        do_job(job)
        sys.stdout.flush()
        os.write(1, f"{job['done']}\n".encode())


def do_job(job: dict[str, Any]) -> None:
    """Run the steps in order; `{"made": [...], "producer", "is_fresh"}`, or `{"error": sentence}`, is written to the result file.

    A step is `{"name": one of steps.STEPS, "source", "target", "bindings", "options", "says", "optional"}`. Without bindings of its
    own it takes those that the step returned which made its source. What an optional step raises becomes its result, `{"error"}`.
    """
    result: dict[str, Any] = {"made": []}
    bindings: dict[str, Any] = {}
    try:
        _forget()
        for step in job["steps"]:
            made = _do(step, bindings)
            result["made"].append(made)
            bindings[step["target"]] = made.get("bindings")
            _write(job["result"], result)  # a step that kills the process leaves those before it
        result |= {"producer": _versions(), "is_fresh": _is_fresh()}
    except Exception as error:  # noqa: BLE001 - the user's model code may raise anything; the sentence crosses to the core
        traceback.print_exc()
        result["error"] = _sentence(error)
    _write(job["result"], result)


def _write(file: str, result: dict[str, Any]) -> None:
    Path(file).write_text(json.dumps(result), encoding="utf-8")


def _forget() -> None:
    """Leave nothing of an earlier job to this one: Keras counts names, TensorFlow keeps a default graph."""
    if keras := sys.modules.get("keras"):
        keras.backend.clear_session()
    if tf := sys.modules.get("tensorflow"):
        tf.compat.v1.reset_default_graph()


def _do(step: dict[str, Any], bindings: dict[str, Any]) -> dict[str, Any]:
    print(step["says"], file=sys.stderr, flush=True)
    taken, options = step.get("bindings") or bindings.get(step["source"]) or {}, step.get("options") or {}
    _load_op_libraries(options.get("op_libraries") or ())
    try:
        return {"bindings": STEPS[step["name"]](Path(step["source"]), Path(step["target"]), taken, options)}
    except (OSError, ImportError):  # the disk's fault or ours, not the model's
        raise
    except Exception as error:
        if not step.get("optional"):
            raise
        traceback.print_exc()
        return {"error": _sentence(error)}


def _load_op_libraries(paths: Sequence[str]) -> None:
    if paths:
        import tensorflow as tf

        from crossload.workers.kit import graph_defs

        graph_defs.load_op_libraries(paths, tf.load_op_library, tf.__version__)


def _sentence(error: Exception) -> str:
    """The first line that names a cause; our own errors are whole sentences, any other gets its class in front."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if lines[:1] == ["in user code:"]:  # AutoGraph puts the trace first, and the cause with its class last
        return lines[-1]
    telling = [line for line in lines if not line.startswith(_UNTELLING) and "root error(s) found" not in line]
    line = (telling or lines or [""])[0]
    if isinstance(error, CrossloadError | KitError):
        return line
    line = line if len(line) <= 500 else f"{line[:200]} … {line[-300:]}"
    if unknown := _UNKNOWN_OP.match(line):
        return f"{unknown[0]}: {add_ons.sentence(unknown[1])}"
    name = type(error).__name__
    return f"{name}: {line}" if line else name


def _versions() -> dict[str, str]:
    import tensorflow as tf

    keras = sys.modules.get("keras")
    return {
        "tensorflow": tf.__version__,
        **({"keras": keras.__version__} if keras else {}),
        "python": ".".join(map(str, sys.version_info[:3])),
        "platform": f"{sys.platform}/{__import__('platform').machine()}",
    }


def _is_fresh() -> bool:
    """Whether TensorFlow works as it does after its import: a model's own code may have changed that for the whole process."""
    import tensorflow as tf

    v1 = tf.compat.v1
    today = v1.executing_eagerly_outside_functions() and tf.executing_eagerly() and v1.control_flow_v2_enabled()
    return bool(today and v1.resource_variables_enabled() and not tf.config.functions_run_eagerly())


if __name__ == "__main__":
    main()
