"""Checkpoints written by TensorFlow 1's Saver, graph (.meta) included, from a session or a SavedModel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from crossload.errors import ModelError
from crossload.tf_process import sessions

Bindings = dict[str, Any]


def of_saved_model(source: Path, target: Path, bindings: Bindings, options: dict[str, Any]) -> Bindings:
    """A checkpoint of a SavedModel's variables in the folder `target`, with its graph and signatures as .meta.

    `options["format"] == "object"` writes what tf.train.Checkpoint(model=…) would, by a CheckpointManager, without a graph.
    """
    if options.get("format") == "object":
        save_objects(tf.saved_model.load(str(source), tags=options.get("tags")), target, options)
        return bindings
    with sessions.saved_model(source, options.get("tags") or []) as session:
        save(session, target, bindings, options)
    return bindings


def save(session: Any, folder: Path, bindings: Bindings, options: Mapping[str, Any] | None = None) -> Path:
    """Save a session's variables in `folder`, beside the checkpoints in its state file; returns the new prefix.

    `options` are the Saver's: `name` (model.ckpt), `global_step` (int, or the name of a variable that holds it), `max_to_keep` (5; 0:
    all), `keep_every_n_hours`, `pad_step_number`, `sharded`, `absolute_paths` (else the state file is relative), `without_graph`
    (no .meta), `format` ("v2"; "v1"), `variables`: names to save, or {name: name in the checkpoint}. Raises ModelError.
    """
    options = options or {}
    variables = {v.op.name: v for v in sessions.collect_variables(session)}
    if not variables:
        raise ModelError("the model has no variables, so a checkpoint would be empty; convert to graph_def instead")
    chosen = options.get("variables")
    if unknown := [n for n in chosen or () if n not in variables]:
        raise ModelError(f"there is no variable {unknown[0]!r}; there are: {', '.join(sorted(variables)[:20])}")
    named = {chosen[n] if isinstance(chosen, Mapping) else n: variables[n] for n in chosen or variables}
    versions = tf.compat.v1.train.SaverDef
    with session.graph.as_default(), session.graph.control_dependencies(None):
        saver = tf.compat.v1.train.Saver(
            named,
            max_to_keep=options.get("max_to_keep", 5),
            keep_checkpoint_every_n_hours=options.get("keep_every_n_hours", 10000.0),
            pad_step_number=options.get("pad_step_number", False),
            sharded=options.get("sharded", False),
            save_relative_paths=not options.get("absolute_paths", False),
            write_version=versions.V1 if options.get("format") == "v1" else versions.V2,
        )
    earlier = tf.train.get_checkpoint_state(str(folder))
    if earlier:
        saver.recover_last_checkpoints(list(earlier.all_model_checkpoint_paths))
    step = options.get("global_step")
    if isinstance(step, str):
        if step not in variables:
            raise ModelError(f"there is no variable {step!r} that holds the step; there are: {', '.join(sorted(variables)[:20])}")
        step = int(session.run(variables[step]))
    folder.mkdir(parents=True, exist_ok=True)
    write_meta_graph = not options.get("without_graph")
    prefix = Path(saver.save(session, str(folder / options.get("name", "model.ckpt")), global_step=step, write_meta_graph=write_meta_graph))
    if write_meta_graph:
        _add_signatures(session, prefix.with_name(f"{prefix.name}.meta"), bindings)
    return prefix


def save_objects(model: Any, folder: Path, options: Mapping[str, Any] | None = None) -> Path:
    """Save a trackable model's variables by a tf.train.CheckpointManager, as Checkpoint(model=model); returns the new prefix.

    Of the options of `save` it takes `name`, `global_step` (int), `max_to_keep` and `keep_every_n_hours`.
    """
    options = options or {}
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(model=model),
        str(folder),
        max_to_keep=options.get("max_to_keep", 5) or None,
        keep_checkpoint_every_n_hours=options.get("keep_every_n_hours"),
        checkpoint_name=options.get("name", "model.ckpt"),
    )
    return Path(manager.save(checkpoint_number=options.get("global_step")))


def _add_signatures(session: Any, file: Path, bindings: Bindings) -> None:
    """Write the SignatureDefs into the .meta, which the Saver writes without any, so that its loaders need not guess tensors."""
    from crossload.tf_process.saved_model_builder import signature

    meta_graph = tf.compat.v1.MetaGraphDef.FromString(file.read_bytes())
    stated = session.meta_graph.signature_def if getattr(session, "meta_graph", None) else {}
    for name, binding in bindings.items():
        key = binding.get("key") or name
        if key in stated:
            meta_graph.signature_def[key].CopyFrom(stated[key])
            continue
        inputs, outputs = ({n: session.graph.get_tensor_by_name(t) for n, t in binding[side].items()} for side in ("inputs", "outputs"))
        meta_graph.signature_def[key].CopyFrom(signature(inputs, outputs))
    file.write_bytes(meta_graph.SerializeToString(deterministic=True))
