"""Many conversions in one run: one TensorFlow process, workers that live across all files, a journal that a later run goes on with."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crossload import artifacts
from crossload.artifacts.search import SUFFIXES
from crossload.errors import CrossloadError
from crossload.report.results import Report
from crossload.runtimes import environments, registry, tf_process
from crossload.runtimes.supervisor import Limits, Supervisor
from crossload.support import files
from crossload.support.text import printable
from crossload.verbs.convert.convert import convert, next_version
from crossload.verbs.convert.edges import TARGETS
from crossload.verbs.destinations import only_writer
from crossload.verbs.verify.prove import answering
from crossload.verbs.verify.record import needed_options

JOURNAL = "conversions.jsonl"
_SAVED_MODEL = "saved_model.pb"  # a file of this name makes its folder a SavedModel
_SUFFIXES = {"graph_def": ".pb", "tflite": ".tflite", "keras": ".keras", "keras_h5": ".h5"}


@dataclass(frozen=True)
class Conversion:
    """What became of one source, a line of the journal.

    `error` is the sentence of a failure, with its exit `status`; `compared` counts the answers that agree, None if they were not
    compared. `sha256` are the source's digest and the result's; `options` are those of the run.
    """

    source: str
    result: str
    status: int
    error: str | None = None
    compared: int | None = None
    sha256: tuple[str, str] = ("", "")
    options: str = ""
    kept: bool = False


def convert_many(
    sources: Sequence[str],
    folder: Path,
    to: str,
    *,
    resume: bool = False,
    overwrite: bool = False,
    version_directory: bool = False,
    load_with: str = "tensorflow",
    limits: Limits | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] = lambda _: None,
    on_file: Callable[[Conversion, Report | None], None] = lambda *_: None,
    **others: Any,
) -> list[Conversion]:
    """Convert each source into `folder`, to the format `to`, with the options that `convert` takes.

    A source that fails does not keep the others. `folder`/conversions.jsonl has a line for each; with `resume`, sources that it says
    are converted, with the same options, and that are unchanged, are kept, and so are their names. `on_file` gets each conversion and
    the report of its comparison. Raises CrossloadError where nothing can begin: an unknown format, a folder of an earlier run without
    `resume` or `overwrite`.
    """
    if to not in TARGETS:
        raise CrossloadError(f"there is no format {to!r} to convert to; there are: {', '.join(TARGETS)}")
    journal = folder / JOURNAL
    if journal.exists() and not (resume or overwrite):
        raise CrossloadError(f"{folder} holds the conversions of an earlier run; go on with it by --resume, or --overwrite them")
    if folder.exists() and not folder.is_dir():
        raise CrossloadError(f"{folder} is not a folder; name another")
    said = repr(sorted({**others, **(options or {}), "to": to, "load_with": load_with, "files": _digests(options or {})}.items()))
    earlier = _read(journal) if resume else {}
    results = names(sources, _SUFFIXES.get(to, ""), {s: _name(Path(c.result)) for s, c in earlier.items()})
    folder.mkdir(parents=True, exist_ok=True)
    done = []
    answering_workers = _Workers(load_with, limits or Limits(), options or {}, progress)
    with only_writer(journal, "run of conversions"), tf_process.kept(), answering_workers as workers:
        for source in sources:
            before = earlier.get(source)
            report = None
            if before and _is_settled(before, said):
                conversion = Conversion(**{**asdict(before), "kept": True})
            else:
                place = folder / results[source]
                place = next_version(place) if version_directory else place
                try:
                    digest = artifacts.sha256(Path(source))
                    alive = workers.for_formats(artifacts.recognise(Path(source)), to)
                    made = convert(
                        source,
                        place,
                        to,
                        overwrite=overwrite or bool(earlier),
                        load_with=load_with,
                        limits=limits,
                        options=options,
                        alive=alive,
                        progress=progress,
                        **others,
                    )
                except (CrossloadError, OSError) as error:
                    status = error.exit_status if isinstance(error, CrossloadError) else CrossloadError.exit_status
                    conversion = Conversion(source, str(place), status, str(error), options=said)
                else:
                    report = made.report
                    compared = sum(r.agreement is not None for r in report.results) if report else None
                    conversion = Conversion(source, str(place), 0, None, compared, (digest, files.sha256(place)), said)
                with journal.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(asdict(conversion)) + "\n")
            done.append(conversion)
            on_file(conversion, report)
    return done


def outside(folder: Path, sources: Sequence[str]) -> list[str]:
    """The sources that are not in the folder of the results: those of an earlier run may lie below a folder of sources."""
    return [s for s in sources if folder.resolve() not in Path(s).resolve().parents]


class _Workers:
    """The workers that answer for sources and results, started when the first file needs them."""

    def __init__(self, load_with: str, limits: Limits, options: Mapping[str, Any], progress: Callable[[str], None]) -> None:
        self._load_with, self._limits, self._progress = load_with, limits, progress
        self._options = needed_options(options)
        self._alive: dict[str, Supervisor] = {}
        self._stack = ExitStack()

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def for_formats(self, *formats: str) -> Mapping[str, Supervisor]:
        """The living workers, by the shortest name, with those that answer for these formats among them."""
        for kind in formats:
            runtime = answering(kind, self._load_with, self._options)
            name = registry.shortest_name(runtime)
            if name not in self._alive:
                launch = environments.prepare(runtime.source, self._progress)
                self._alive[name] = self._stack.enter_context(Supervisor(name, launch, self._limits))
        return self._alive


def names(sources: Sequence[str], suffix: str, known: Mapping[str, str]) -> dict[str, str]:
    """A name for the result of each source, different for each: that of the source, after as many folders as tell it from the others.

    `known` are names that sources have already. A number (the version of a model) never is a name alone, and no name is saved_model.pb.
    """
    paths = {source: Path(source).resolve() for source in sources if source not in known}
    stems = Counter((p.parent, _stem(p)) for p in paths.values())
    parts = {s: (*p.parent.parts[1:], p.name.replace(".", "-") if stems[p.parent, _stem(p)] > 1 else _stem(p)) for s, p in paths.items()}
    depth = {s: 1 + (of[-1].isdecimal() or f"{of[-1]}{suffix}" == _SAVED_MODEL) for s, of in parts.items()}
    while True:
        found = {s: "-".join(of[-depth[s] :]) for s, of in parts.items()}
        counts = Counter(name.lower() for name in found.values())
        alike = [s for s, name in found.items() if counts[name.lower()] > 1 and depth[s] < len(parts[s])]
        if not alike:
            break
        for source in alike:
            depth[source] += 1
    taken = {_SAVED_MODEL, *(name.lower() for name in known.values())}
    named = dict(known)
    for source, name in found.items():
        number, whole = 1, f"{printable(name)}{suffix}"
        while whole.lower() in taken:
            number += 1
            whole = f"{printable(name)}-{number}{suffix}"
        taken.add(whole.lower())
        named[source] = whole
    return named


def _name(result: Path) -> str:
    return result.parent.name if result.name.isdecimal() else result.name  # a version lies in the folder of its model


def _stem(path: Path) -> str:
    """The name without the suffix of a format; a checkpoint's prefix, as `model.ckpt-100`, has none."""
    return path.stem if path.suffix.lower() in SUFFIXES else path.name


def _read(journal: Path) -> dict[str, Conversion]:
    """The last line about each source; a line cut short by a crash is left out."""
    found = {}
    for line in journal.read_text(encoding="utf-8").splitlines() if journal.exists() else ():
        try:
            conversion = Conversion(**json.loads(line))
        except (ValueError, TypeError):
            continue
        found[conversion.source] = conversion
    return found


def _digests(options: Mapping[str, Any]) -> list[str]:
    """The hashes of the files that options name: another content is another option."""
    named = [options.get("representative"), options.get("weights"), *(options.get("set_metadata") or {}).values()]
    return [files.sha256(Path(file)) for file in named if file and Path(file).exists()]


def _is_settled(before: Conversion, options: str) -> bool:
    """Whether source and result are still those of an earlier run with the same options."""
    result = Path(before.result)
    if before.error or before.options != options or not result.exists():
        return False
    try:
        return tuple(before.sha256) == (artifacts.sha256(Path(before.source)), files.sha256(result))
    except OSError:
        return False
