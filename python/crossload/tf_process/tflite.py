"""SavedModels, frozen graphs and live models to .tflite: every signature with its names. Runs in a TensorFlow process."""

from __future__ import annotations

import math
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.python.eager import context
from tensorflow.python.saved_model import loader_impl

from crossload.artifacts.tflite import tflite_file
from crossload.errors import ModelError
from crossload.inputs import representative
from crossload.inputs.requests import FREE_DIMENSION
from crossload.support.text import near
from crossload.tf_process import freeze, live_models, mixed_tflite, resources, saved_model_builder, sessions
from crossload.tf_process.constant_weights import with_constant_weights

__all__ = ["ModelError", "graph_def_to_tflite", "saved_model_to_tflite"]

Bindings = dict[str, Any]
DEFAULT_SIGNATURE = "serving_default"
_QUANTIZATIONS = ("float16", "dynamic", "int8", "16x8")
_CALIBRATED = ("int8", "16x8")
_INTEGERS = {"int8": ("int8", "uint8"), "16x8": ("int16",)}
# A flatbuffer's greatest size, and protobuf's, by which the converter takes the weights.
_MOST_BYTES = (1 << 31) - 1


def saved_model_to_tflite(source: Path, target: Path, bindings: Bindings, options: Mapping[str, Any]) -> Bindings:
    """Write a .tflite with a SignatureDef for each signature of `bindings`; their tensor indices by name.

    `options`: `tags`; `shapes`, {input's name: shape} for what the converter needs to know; `shapes_if_refused`, those it gets where it
    refuses the model as it is; `optimize`, the converter's default
    optimisation; `quantize`, "float16", "dynamic" (8-bit weights), "int8" or "16x8" (8-bit weights, and activations of 8 or 16 bits with
    ranges measured on `representative`, an .npz of inputs by name or a folder of them); `inference_type`, the datatype of inputs and
    outputs; `per_tensor`, one scale for all channels of weights; `keep_float`, parts of the names of ops to leave in float; `allow_flex`
    and `allow_custom_ops`, which keep operations in the file that a plain interpreter does not have. Raises ModelError.
    """
    _check_options(options)
    _check_size(source)
    keys = {name: b.get("key") or name for name, b in bindings.items()}
    wanted = list(dict.fromkeys(keys.values()))
    tags = options.get("tags") or ["serve"]
    _check_signatures(source, tags, wanted)
    if options.get("shapes") and _has_variables(source) and not _meta_graph(source, tags).HasField("object_graph_def"):
        return _frozen_to_tflite(source, target, keys, {**options, "tags": tags})
    if _fills_itself(_meta_graph(source, tags), keys):
        return _of_its_graph(source, target, keys, {**options, "tags": tags})
    shapes = {name: list(shape) for name, shape in (options.get("shapes") or {}).items()}
    with tempfile.TemporaryDirectory(prefix="crossload-") as scratch, context.eager_mode():
        if (shapes and source not in live_models.SAVED_HERE) or (len(keys) > 1 and _exported_by_keras(source)):
            source = _saved_again(source, tags, wanted, shapes, Path(scratch) / "model")
            tags = ["serve"]
        try:
            data = _converted(source, tags, wanted, options)
        except ModelError as refused:
            given = {n: s for n, s in (options.get("shapes_if_refused") or {}).items() if any(n in _specs(source, tags, k) for k in wanted)}
            if not given:
                remedy = _shape_that_helps(source, tags, wanted, options) or _drop_that_helps(source, tags, wanted, options)
                raise ModelError(f"{refused}{remedy}") from refused
            source, tags = _traced_at(source, tags, wanted, given, Path(scratch) / "shaped"), ["serve"]
            data = _converted(source, tags, wanted, options)
            print(f"the .tflite has the shapes of --shape alone: open ones are refused ({str(refused)[:100]} …)", flush=True)
        if _keeps_variables(data):
            print("making the weights constants first: loops of TFLite cannot read variables", flush=True)
            source = _saved_again(source, tags, wanted, {}, Path(scratch) / "frozen", freezing=with_constant_weights)
            data = _converted(source, ["serve"], wanted, options)
    if len(data) > _MOST_BYTES:
        raise ModelError(f"the .tflite would have {len(data):,} bytes, more than the {_MOST_BYTES:,} of a flatbuffer; quantise it")
    if b"Flex" in data:
        print("the .tflite has Select TF (Flex) operations, which plain interpreter packages do not run", flush=True)
    target.write_bytes(data)
    return _bindings_of(target, keys)


def _converted(source: Path, tags: list[str], wanted: list[str], options: Mapping[str, Any]) -> bytes:
    """The .tflite of a SavedModel's signatures; raises ModelError with the converter's cause."""
    converter = tf.lite.TFLiteConverter.from_saved_model(str(source), signature_keys=wanted, tags=set(tags))
    _settle(converter, options, {key: _specs(source, tags, key) for key in wanted} if options.get("quantize") in _CALIBRATED else {})
    try:
        data: bytes = mixed_tflite.converted(converter, options["keep_float"]) if options.get("keep_float") else converter.convert()
    except OSError:
        raise
    except Exception as error:  # the converter raises many classes of exceptions; only the text helps
        raise ModelError(_cause(str(error))) from error
    return data


def _keeps_variables(data: bytes) -> bool:
    """Whether the file reads variables, which interpreters refuse inside a loop (READ_VARIABLE is among the operators of schema.fbs)."""
    model = schema.Model.GetRootAsModel(data, 0)
    ops = {model.OperatorCodes(at).BuiltinCode() for at in range(model.OperatorCodesLength())}
    return {schema.BuiltinOperator.READ_VARIABLE, schema.BuiltinOperator.WHILE} <= ops


def graph_def_to_tflite(source: Path, target: Path, bindings: Bindings, options: Mapping[str, Any]) -> Bindings:
    """Write a .tflite of a frozen graph, one subgraph a signature; `bindings` name its tensors (`operation:index`).

    `options` are those of `saved_model_to_tflite`. Raises ModelError, with near matches for an unknown tensor.
    """
    _check_options(options)
    bindings = {name: {**b, "key": None} for name, b in bindings.items()}
    with tempfile.TemporaryDirectory(prefix="crossload-") as scratch:
        made = Path(scratch) / "model"
        if resources.has_own(sessions.read_frozen(source), bindings):
            bound = resources.to_saved_model(source, made, bindings)
            return saved_model_to_tflite(made, target, bound, {**options, "tags": ["serve"]})
        with sessions.graph_def(source) as session:
            taken = _inputs(session.graph, bindings)
        if any(not t.op.type.startswith("Placeholder") for t in taken.values()):
            # What is before an input amid the graph is cut off, since a function cannot be fed there.
            cut = Path(scratch) / "cut.pb"
            source, bindings = cut, freeze.of_graph_def(source, cut, bindings, {})
        bound = saved_model_builder.of_graph_def(source, made, bindings, {})
        return saved_model_to_tflite(made, target, bound, {**options, "tags": ["serve"]})


def _fills_itself(meta_graph: Any, keys: Mapping[str, str]) -> bool:
    """Whether a SavedModel of a graph's kind fills its tables and begins its variables in a run, and not where it is loaded."""
    return not meta_graph.HasField("object_graph_def") and resources.has_own(meta_graph.graph_def, _plain(meta_graph, keys))


def _of_its_graph(source: Path, target: Path, keys: Mapping[str, str], options: Mapping[str, Any]) -> Bindings:
    """By way of the graph of a SavedModel, which fills its tables and begins its variables itself."""
    meta_graph = _meta_graph(source, options["tags"])
    with tempfile.TemporaryDirectory(prefix="crossload-") as scratch:
        graph = Path(scratch) / "graph.pb"
        graph.write_bytes(meta_graph.graph_def.SerializeToString(deterministic=True))
        made = graph_def_to_tflite(graph, target, _plain(meta_graph, keys), options)
    return {name: made[key] for name, key in keys.items()}


def _plain(meta_graph: Any, keys: Mapping[str, str]) -> Bindings:
    stated = meta_graph.signature_def
    return {k: {side: {n: i.name for n, i in getattr(stated[k], side).items()} for side in ("inputs", "outputs")} for k in keys.values()}


def _frozen_to_tflite(source: Path, target: Path, keys: Mapping[str, str], options: Mapping[str, Any]) -> Bindings:
    """By way of a frozen graph: variables of TensorFlow 1 cannot be saved again behind inputs of other shapes."""
    plain = _plain(_meta_graph(source, options["tags"]), keys)
    with tempfile.TemporaryDirectory(prefix="crossload-") as scratch:
        frozen = Path(scratch) / "frozen.pb"
        freeze.of_saved_model(source, frozen, plain, {"tags": options["tags"]})
        made = graph_def_to_tflite(frozen, target, plain, options)
    return {name: made[key] for name, key in keys.items()}


def _saved_again(
    source: Path, tags: list[str], keys: list[str], shapes: Mapping[str, list[int]], target: Path, freezing: Any = None
) -> Path:
    """A SavedModel of these signatures alone, with the given shapes of inputs; `freezing` takes a signature and returns its replacement."""
    module = tf.Module()
    module.loaded = tf.saved_model.load(str(source), tags)
    functions: dict[str, Any] = {}
    seen: dict[str, Any] = {}
    for key in keys:
        signature = module.loaded.signatures[key]
        specs = signature.structured_input_signature[1]
        seen |= specs
        functions[key] = _reshaped(
            freezing(signature) if freezing else signature, {n: _shaped(n, spec, shapes) for n, spec in specs.items()}
        )
    if unknown := next((n for n in shapes if n not in seen), None):
        raise ModelError(f"there is no input {unknown!r} for --shape{near(unknown, seen)}; the inputs are: {', '.join(seen)}")
    tf.saved_model.save(module, str(target), signatures=functions)
    return target


def _reshaped(signature: Any, specs: Mapping[str, Any]) -> Any:
    @tf.function(autograph=False)
    def serve(**inputs: Any) -> Any:
        return signature(**inputs)

    return serve.get_concrete_function(**specs)


def _shaped(name: str, spec: Any, shapes: Mapping[str, list[int]]) -> Any:
    if name not in shapes:
        return tf.TensorSpec(spec.shape, spec.dtype, name=name)
    shape = tf.TensorShape([None if d < 0 else d for d in shapes[name]])
    if not spec.shape.is_compatible_with(shape):
        raise ModelError(f"the input {name!r} has the shape {spec.shape}, so it cannot become {shape}")
    return tf.TensorSpec(shape, spec.dtype, name=name)


def _check_options(options: Mapping[str, Any]) -> None:
    quantize = options.get("quantize")
    if quantize and quantize not in _QUANTIZATIONS:
        raise ModelError(f"there is no quantisation {quantize!r}; there are: {', '.join(_QUANTIZATIONS)}")
    inference_type = options.get("inference_type") or "float32"
    if inference_type != "float32" and inference_type not in _INTEGERS.get(quantize or "", ()):
        takes = "; ".join(f"{q}: {', '.join(types)}" for q, types in _INTEGERS.items())
        raise ModelError(f"{quantize or 'an unquantised model'} has no inputs and outputs of {inference_type}; there are {takes}")
    for option, allowed in (("keep_float", ("int8",)), ("per_tensor", ("int8", "dynamic"))):
        if options.get(option) and quantize not in allowed:
            raise ModelError(f"--{option.replace('_', '-')} goes with --quantize {' or '.join(allowed)}, not with {quantize or 'none'}")
    if quantize in _CALIBRATED and not options.get("representative"):
        raise ModelError(
            f"{quantize} measures the ranges of a model on representative inputs: give --representative FILE.npz, or a folder of them"
        )


def _check_size(source: Path) -> None:
    """Raise ModelError before minutes of work if the variables do not fit into one message."""
    if not _has_variables(source):
        return
    reader = tf.train.load_checkpoint(str(source / "variables" / "variables"))
    types = reader.get_variable_to_dtype_map()
    size = sum(math.prod(shape) * types[name].size for name, shape in reader.get_variable_to_shape_map().items())
    if size > _MOST_BYTES:
        raise ModelError(
            f"the variables are {size:,} bytes, and a .tflite has at most {_MOST_BYTES:,}; keep the SavedModel, or convert a smaller model"
        )


def _has_variables(source: Path) -> bool:
    return (source / "variables" / "variables.index").exists()


def _inputs(graph: Any, bindings: Bindings) -> dict[tuple[str, str], Any]:
    """The tensors that are inputs, by signature and name; raises ModelError for a tensor that is not there, outputs included."""
    found = {}
    for key, binding in bindings.items():
        for side in ("inputs", "outputs"):
            for name, tensor in binding[side].items():
                try:
                    found[side, key, name] = graph.get_tensor_by_name(tensor)
                except (KeyError, ValueError) as error:
                    there = near(tensor.split(":")[0], (op.name for op in graph.get_operations()))
                    raise ModelError(f"the graph has no tensor {tensor!r} for the {side} of {key!r}{there}") from error
    return {(key, name): tensor for (side, key, name), tensor in found.items() if side == "inputs"}


def _exported_by_keras(source: Path) -> bool:
    """Whether the converter would take it for a Keras export and keep only its signature `serve`."""
    nodes = loader_impl.parse_saved_model(str(source)).meta_graphs[0].object_graph_def.nodes
    return bool(nodes) and any(child.local_name == "serve" for child in nodes[0].children)


def _settle(converter: Any, options: Mapping[str, Any], specs: Mapping[str, representative.Specs]) -> None:
    """Give the converter its options."""
    quantize, ops = options.get("quantize"), tf.lite.OpsSet
    supported = [ops.TFLITE_BUILTINS]
    if options.get("optimize") or quantize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantize in _CALIBRATED:
        strings = next((n for own in specs.values() for n, (dtype, _) in own.items() if dtype is object), None)
        if strings:  # TensorFlow's calibrator dies of one
            raise ModelError(
                f"{quantize} measures ranges, and the converter cannot do that with strings (the input {strings!r}); take dynamic"
            )
        requests = representative.samples(Path(options["representative"]), specs)
        converter.representative_dataset = lambda: iter(requests)
        supported = [ops.TFLITE_BUILTINS_INT8]
    if quantize == "16x8":
        supported = [ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    if options.get("keep_float"):
        supported.append(ops.TFLITE_BUILTINS)
    if options.get("inference_type"):
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(options["inference_type"])
    converter._experimental_disable_per_channel = bool(options.get("per_tensor"))
    if options.get("allow_flex"):
        supported.append(ops.SELECT_TF_OPS)
    converter.target_spec.supported_ops = supported
    converter.allow_custom_ops = bool(options.get("allow_custom_ops"))


def _check_signatures(source: Path, tags: list[str], keys: Iterable[str]) -> None:
    there = sorted(key for key in _meta_graph(source, tags).signature_def if not key.startswith("__saved_model"))
    if unknown := next((key for key in keys if key not in there), None):
        raise ModelError(f"there is no signature {unknown!r}{near(unknown, there)}; there are: {', '.join(there) or 'none'}")
    if not keys:
        raise ModelError("the SavedModel has no signature to convert; give it signatures when you save it")


def _meta_graph(source: Path, tags: list[str]) -> Any:
    meta_graphs = loader_impl.parse_saved_model(str(source)).meta_graphs
    found = next((m for m in meta_graphs if set(m.meta_info_def.tags) == set(tags)), None)
    if found is None:
        there = "; ".join(",".join(m.meta_info_def.tags) or "none" for m in meta_graphs)
        raise ModelError(f"no MetaGraph has the tags {','.join(tags)}; there are: {there}")
    return found


def _specs(source: Path, tags: list[str], key: str) -> dict[str, tuple[Any, tuple[int | None, ...] | None]]:
    """Datatype and shape of each input of a signature."""
    inputs = _meta_graph(source, tags).signature_def[key].inputs
    return {n: (tf.as_dtype(i.dtype).as_numpy_dtype, _shape_of(i.tensor_shape)) for n, i in sorted(inputs.items())}


def _shape_of(shape: Any) -> tuple[int | None, ...] | None:
    return None if shape.unknown_rank else tuple(None if d.size < 0 else d.size for d in shape.dim)


def _shape_that_helps(source: Path, tags: list[str], keys: list[str], options: Mapping[str, Any]) -> str:
    """What to add to a refusal: the shapes with which the same model was just converted, the batch alone first; empty if none helps."""
    given = options.get("shapes") or {}
    inputs = {n: shape for key in keys for n, (_, shape) in _specs(source, tags, key).items() if n not in given}
    if unranked := next((n for n, s in inputs.items() if s is None), None):
        return f"; the input {unranked!r} is of unknown rank: give its shape with --shape"
    open_ones = {n: s for n, s in inputs.items() if s and None in s}
    if not open_ones:
        return ""
    batch = {n: [1 if at == 0 and d is None else -1 if d is None else d for at, d in enumerate(s)] for n, s in open_ones.items()}
    whole = {n: [FREE_DIMENSION if d == -1 else d for d in s] for n, s in batch.items()}
    for shapes, cause in ((batch, "its open batch is the cause"), (whole, "its open dimensions are the cause")):
        with tempfile.TemporaryDirectory(prefix="crossload-") as scratch, suppress(Exception):
            _converted(_traced_at(source, tags, keys, {**given, **shapes}, Path(scratch) / "model"), ["serve"], keys, options)
            said = " ".join(f"--shape {name}={','.join(map(str, shape))}" for name, shape in shapes.items())
            return f"; {cause}: with {said} it converts"
    return ""


def _drop_that_helps(source: Path, tags: list[str], keys: list[str], options: Mapping[str, Any]) -> str:
    """What to add to a refusal: the signatures without which the others were just converted; empty if that does not help."""
    if len(keys) == 1:
        return ""
    able = []
    for key in keys:
        with suppress(ModelError):
            _converted(source, tags, [key], options)
            able.append(key)
    if not 0 < len(able) < len(keys):
        return ""
    with suppress(ModelError):
        _converted(source, tags, able, options)
        said = " ".join(f"--drop-signature {shlex.quote(key)}" for key in keys if key not in able)
        return f"; the other signatures convert with {said}"
    return ""


def _traced_at(source: Path, tags: list[str], keys: list[str], shapes: Mapping[str, list[int]], target: Path) -> Path:
    """The model behind a SavedModel, traced anew at these shapes: from the live model that it was saved from, if that lives here."""
    if source in live_models.SAVED_HERE:
        live_models.SAVED_HERE[source](target, shapes)
        if all(_specs(target, ["serve"], key).keys() == _specs(source, tags, key).keys() for key in keys):  # no input was pinned since
            return target
        shutil.rmtree(target)
    return _saved_again(source, tags, keys, shapes, target)


def _bindings_of(target: Path, keys: Mapping[str, str]) -> Bindings:
    found = tflite_file.read(target, ops=False).signatures
    if lost := next((key for key in keys.values() if key not in found), None):
        raise ModelError(f"the converter lost the signature {lost!r}")
    return {
        name: {
            "key": key,
            "inputs": {t.name: t.tensor for t in found[key].inputs},
            "outputs": {t.name: t.tensor for t in found[key].outputs},
        }
        for name, key in keys.items()
    }


def _cause(message: str) -> str:
    """The operations that stop the conversion if the converter names them, else its first error."""
    listed = re.search(r"Custom ops: ([^\n]+)", message)
    flex = re.search(r"Flex ops: ([^\n]+)", message)
    named = [*(_names(flex) if flex else ()), *(_names(listed) if listed else ())]
    if not named:
        named = re.findall(r"'tf\.(\w+)' op is neither a custom op nor a flex op", message)
    if named:
        return f"TFLite does not have its operation{'s' if len(set(named)) > 1 else ''} {', '.join(dict.fromkeys(named))}"
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    # `<unknown>:0: error: loc(…): SENTENCE`; what follows on "note:" and "see current operation" lines is the place.
    errors = [found[1] for line in lines if (found := re.search(r"error: (?:loc\(.*\): )?(.+)", line))]
    told = list(dict.fromkeys(errors)) or lines or ["the converter gave no reason"]
    return "; ".join(dict.fromkeys(sentence[:600] for sentence in (told[0], told[-1])))


def _names(listed: re.Match[str]) -> list[str]:
    return [name.strip() for name in listed[1].split(",")]
