"""Handoff: a bundle as a project of the receiver's language; each receiver has a room of its own below this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from crossload.errors import CrossloadError
from crossload.verbs.handoff.android import project as android
from crossload.verbs.handoff.c import project as c
from crossload.verbs.handoff.handed import Handoff
from crossload.verbs.handoff.ios import project as ios
from crossload.verbs.handoff.java import project as java
from crossload.verbs.handoff.tflm import project as tflm

# By the value of `--to`: called with the bundle, the destination, `artifact`, `overwrite` and the options of that receiver.
RECEIVERS: dict[str, Callable[..., Handoff]] = {
    "java": java.write,
    "c": c.write,
    "tflm": tflm.write,
    "android": android.write,
    "ios": ios.write,
}


def handoff(
    bundle: str | Path,
    destination: str | Path,
    *,
    to: str = "java",
    artifact: str | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Handoff:
    """Write `bundle` into the folder `destination` as a project that builds and tests itself without crossload.

    `to` is the receiver: "java" is a Maven or Gradle project; its `options` are `release`, that of TensorFlow Java (1.15.0 is TensorFlow
    1's own API), `package`, the Java package (default: from the model's name), `build`, "maven" or "gradle", and `without_vectors`, which
    keeps the recorded answers, and so the requests among them, out of the project: its test then only loads the model; "c" is a C99
    project over LiteRT's C API, which carries bool, integers of 8 to 64 bits, float32 and float64; "tflm" is a C99 and C++11 project over
    TensorFlow Lite Micro, with everything in arrays, which carries the same; its `options` are `arena`, the bytes of the tensor arena
    (default: measured in the runtime tflite-micro, and a quarter), `flash`, the bytes that the model and its vectors may have, and
    `progress`, which is called with what is being done. "android" is a Gradle project over TensorFlow Lite or LiteRT, whose option is
    `package`, and which leaves out signatures with other datatypes than bool, int8 to int64, uint8 and float32. "ios" is a Swift package
    and a pod over TensorFlow Lite's Swift API, which reads answers in bool, uint8, int16 to int64, float32 and float64; signatures with
    others are left out. `artifact` is the id of the artifact to hand over.
    Raises CrossloadError for a path that is not a bundle or holds no answers, for an unknown receiver, release or artifact, for operators
    that the receiver has not, and for a destination that holds something else; EnvironmentProblem if tflite-micro is not to be had. Starts
    no TensorFlow; "tflm" starts tflite-micro, unless `arena` is given.
    """
    if to not in RECEIVERS:
        raise CrossloadError(f"there is no handoff to {to!r}; there are: {', '.join(RECEIVERS)}")
    return RECEIVERS[to](bundle, destination, artifact=artifact, overwrite=overwrite, **options)
