"""The jar of a module that judges answers: the classes of crossload's own Java harness that run on Android, too."""

from __future__ import annotations

import zipfile
from pathlib import Path

from crossload.runtimes.environments import build_harness
from crossload.runtimes.registry import WORKERS

# Files of one date make one jar of one source, whenever it is written; zip's dates begin here.
_DATE = (1980, 1, 1, 0, 0, 0)
_PARTS = (
    "io/crossload/HostTensor",
    "io/crossload/compare/",
    "io/crossload/contract/Datatype",
    "io/crossload/contract/Elements",
    "io/crossload/contract/FrameException",
    "io/crossload/contract/Minifloat",
    "io/crossload/contract/TensorEntry",
    "io/crossload/contract/Text",
    "io/crossload/contract/Tolerance",
    # Annotations of Tolerance, which a shrinker would miss.
    "io/crossload/shaded/jackson/annotation/JacksonAnnotation.",
    "io/crossload/shaded/jackson/annotation/JsonCreator",
    "io/crossload/shaded/jackson/annotation/JsonProperty.",
    "io/crossload/shaded/jackson/annotation/JsonProperty$",
)


def write(target: Path) -> None:
    """Write the jar; raises EnvironmentProblem if the harness cannot be built."""
    harness = WORKERS / "java" / "crossload-tensorflow-java.jar"
    build_harness(harness)
    target.parent.mkdir(parents=True)
    with zipfile.ZipFile(harness) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as jar:
        for name in sorted(source.namelist()):
            if name.startswith(_PARTS) and name.endswith(".class"):
                jar.writestr(zipfile.ZipInfo(name, _DATE), source.read(name), zipfile.ZIP_DEFLATED)
