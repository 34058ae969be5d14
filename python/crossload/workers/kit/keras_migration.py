"""Rewrites configs and weights of an older Keras for a newer one: Keras 1 into Keras 2's form, Keras 2 into Keras 3's.

The answers stay the same: where the newer Keras computes something else under the same name, the config names the older
function instead (HARD_SIGMOID). Imports NumPy and its neighbour modules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import keras_configs
from .errors import KitError

# Keras 1 and 2 clip 0.2 x + 0.5 to 0…1, Keras 3 clips x / 6 + 0.5: files of the older ones mean the older function.
HARD_SIGMOID = "keras2_hard_sigmoid"
Config = dict[str, Any]

# Arguments that Keras 2 renamed, for all layers (an argument that a layer does not have is not in its config).
_RENAMED = {
    "nb_filter": "filters", "subsample": "strides", "subsample_length": "strides", "border_mode": "padding", "dim_ordering": "data_format",
    "init": "kernel_initializer", "inner_init": "recurrent_initializer", "inner_activation": "recurrent_activation",
    "W_regularizer": "kernel_regularizer", "U_regularizer": "recurrent_regularizer", "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint", "b_constraint": "bias_constraint", "bias": "use_bias", "filter_length": "kernel_size",
    "atrous_rate": "dilation_rate", "pool_length": "pool_size", "stride": "strides", "sigma": "stddev",
    "beta_init": "beta_initializer", "gamma_init": "gamma_initializer", "dropout_W": "dropout", "dropout_U": "recurrent_dropout",
    "forget_bias_init": "unit_forget_bias", "length": "size",
    "depthwise_init": "depthwise_initializer", "pointwise_init": "pointwise_initializer",
}  # fmt: skip
_CLASSES = {
    "Convolution1D": "Conv1D", "Convolution2D": "Conv2D", "Convolution3D": "Conv3D", "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D", "Deconvolution2D": "Conv2DTranspose", "SeparableConvolution2D": "SeparableConv2D",
    "TimeDistributedDense": "Dense",
}  # fmt: skip
_MERGES = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum", "concat": "Concatenate", "dot": "Dot", "cos": "Dot"}
_INITIALIZERS = {"normal": "random_normal", "uniform": "random_uniform", "zero": "zeros", "one": "ones"}
_RECURRENT = ("LSTM", "GRU", "SimpleRNN")
_UNIT_LAYERS = ("Dense", *_RECURRENT)
_POOLING = ("MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling")
_SAME = {
    "Activation", "ActivityRegularization", "Bidirectional", "Cropping1D", "Cropping2D", "Cropping3D", "ELU", "Flatten", "InputLayer",
    "Lambda", "LeakyReLU", "Masking", "PReLU", "Permute", "RepeatVector", "Reshape", "ThresholdedReLU", "TimeDistributed",
    "UpSampling1D", "UpSampling2D", "UpSampling3D", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D", "Model", "Sequential", "Merge",
    "BatchNormalization", "Embedding", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianNoise",
    "GaussianDropout", "Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "SeparableConv2D", *_UNIT_LAYERS,
}  # fmt: skip
# What Keras 1 had and no later Keras computes, or only in training; dropped where it is harmless.
_DROPPED = ("input_dim", "input_length", "input_dtype", "consume_less", "mode", "output_mask", "arguments_mask", "weights")
# What Keras 2 writes and Keras 3 refuses, by layer: the arguments, and the values at which they mean nothing (any, where None is given).
_SEPARABLE = {"groups": 1, "kernel_initializer": None, "kernel_regularizer": None, "kernel_constraint": None}
_REFUSED_BY_3: dict[str, dict[str, Any]] = {
    **{k: {"time_major": False} for k in ("RNN", "LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")},
    **{k: {"groups": 1} for k in ("DepthwiseConv1D", "DepthwiseConv2D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")},
    **{k: {"trainable": None, "noise_shape": None} for k in ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "Discretization")},
    "SeparableConv1D": _SEPARABLE,
    "SeparableConv2D": _SEPARABLE,
    "Lambda": dict.fromkeys(("function_type", "module", "output_shape_type", "output_shape_module")),
    "MultiHeadAttention": dict.fromkeys(("query_shape", "key_shape", "value_shape")),
    "Embedding": {"input_length": None},
}
_CLASSES_3 = {"BatchNormalizationV1": "BatchNormalization", "BatchNormalizationV2": "BatchNormalization"}
_MODELS_3 = {"Functional": "keras.src.models.functional", "Sequential": "keras", "Model": "keras.src.models.model"}
_PUBLIC_3 = ("keras", "keras.layers")


class CannotMigrate(KitError):
    """A model with a layer that a newer Keras lacks; the sentence continues after the file's name."""


def to_keras_2(config: Config) -> Config:
    """The model config of Keras 1 in Keras 2's form; raises CannotMigrate naming all layers that have none, as for a damaged config."""
    problems: list[str] = []
    made = _guarded(config, lambda node: _layer_to_2(node, problems))
    if problems:
        raise CannotMigrate(f"has layers of Keras 1 that later ones lack: {', '.join(dict.fromkeys(problems))}")
    return made


def modern_sequential(config: Config) -> Config:
    """Sequentials whose config is a plain list, or whose first layer states the model's input, in the form of Keras ≥ 2.3."""
    return _guarded(config, _with_input_layer)


def to_keras_3(config: Config) -> Config:
    """The model config of Keras 2 in Keras 3's form."""
    return _guarded(config, _node_to_3)


def to_keras_2_15(config: Config) -> Config:
    """The model config of a tf-keras (2.16 and later, or by its own modules) in the form of Keras 2.15; others stay as they are."""
    return _guarded(config, _node_to_2_15)


def weights_to_keras_2(layer: Config, weights: list[np.ndarray], backend: str | None) -> list[np.ndarray]:
    """The weights of a migrated layer (its config in Keras 2's form), which Keras 1 wrote, in Keras 2's order and shapes."""
    kind, config = layer["class_name"], layer["config"]
    if kind in ("TimeDistributed", "Bidirectional"):
        parts = np.split(np.arange(len(weights)), 2) if kind == "Bidirectional" and len(weights) % 2 == 0 else [np.arange(len(weights))]
        return [w for part in parts for w in weights_to_keras_2(config["layer"], [weights[i] for i in part], backend)]
    if inner := [n for n in config.get("layers", []) if _weight_count(n)] if isinstance(config, dict) else []:
        return _nested_to_2(inner, weights, backend)
    made = list(weights)
    if kind in _CONVOLUTIONS and made:
        made[0] = _kernel_to_2(kind, config, made[0])
        if backend == "theano":  # it convolves, TensorFlow correlates: the same kernel, mirrored
            spatial = int(kind[4])
            made[0] = np.flip(made[0], tuple(range(spatial)))
    elif kind == "GRU" and len(made) == 9:
        made = [np.concatenate([made[i], made[i + 3], made[i + 6]], axis=-1) for i in range(3)]
    elif kind == "LSTM" and len(made) == 12:  # Keras 1 has the gates i, c, f, o; Keras 2 has i, f, c, o
        made = [np.concatenate([made[i], made[i + 6], made[i + 3], made[i + 9]], axis=-1) for i in range(3)]
    return made


_CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose")


def _kernel_to_2(kind: str, config: Config, kernel: np.ndarray) -> np.ndarray:
    first = config.get("data_format") == "channels_first"
    if kind == "Conv1D" and kernel.ndim == 4:
        length = int(np.ravel(config["kernel_size"])[0])
        if kernel.shape[:2] != (length, 1) or kernel.shape[3] != config["filters"]:
            kernel = kernel.transpose(2, 3, 1, 0)  # before Keras 1.2: (filters, channels, length, 1)
        return kernel[:, 0]
    if kind == "Conv2D" and first:
        return kernel.transpose(2, 3, 1, 0)
    if kind == "Conv2DTranspose":
        return kernel.transpose(2, 3, 0, 1) if first else kernel.transpose(0, 1, 3, 2)
    if kind == "Conv3D" and first:
        return kernel.transpose(2, 3, 4, 1, 0)
    return kernel


def _nested_to_2(inner: list[Config], weights: list[np.ndarray], backend: str | None) -> list[np.ndarray]:
    """A nested model's weights: the trainable ones of all its layers, then the others of all."""
    counts = [_weight_count(n) for n in inner]
    at, rest = 0, sum(c[0] for c in counts)
    first: list[np.ndarray] = []
    last: list[np.ndarray] = []
    for node, (trained, fixed) in zip(inner, counts, strict=True):
        made = weights_to_keras_2(node, weights[at : at + trained] + weights[rest : rest + fixed], backend)
        first += made[: len(made) - fixed]
        last += made[len(made) - fixed :]
        at, rest = at + trained, rest + fixed
    return first + last


def _weight_count(layer: Config) -> tuple[int, int] | None:
    """How many weights, trained and not, Keras 1 had for a layer of a nested model; None for no weights."""
    kind, config = layer["class_name"], layer["config"]
    if kind in ("TimeDistributed", "Bidirectional"):
        count = _weight_count(config["layer"])
        return count and (count[0] * (2 if kind == "Bidirectional" else 1), count[1])
    if isinstance(config, dict) and "layers" in config:
        counts = [c for c in map(_weight_count, config["layers"]) if c]
        return (sum(c[0] for c in counts), sum(c[1] for c in counts)) if counts else None
    if kind == "BatchNormalization":
        return 2, 2
    if kind in ("Dense", *_CONVOLUTIONS):
        return 1 + bool(config.get("use_bias", True)), 0
    if kind == "SeparableConv2D":
        return 2 + bool(config.get("use_bias", True)), 0
    return {"LSTM": (12, 0), "GRU": (9, 0), "SimpleRNN": (3, 0), "Embedding": (1, 0), "PReLU": (1, 0)}.get(kind)


def _guarded(config: Config, change: Callable[[Config], Config]) -> Config:
    try:
        made: Config = _each(config, change)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise CannotMigrate(f"has a config that no Keras can have written ({type(error).__name__}: {error})") from error
    return made


def _each(node: Any, change: Callable[[Config], Config]) -> Any:
    """A copy of the config in which every layer and model, the inner ones first, has been changed."""
    if isinstance(node, list):
        return [_each(n, change) for n in node]
    if not isinstance(node, dict):
        return node
    made = {key: _each(value, change) for key, value in node.items()}
    return change(made) if isinstance(made.get("class_name"), str) and isinstance(made.get("config"), dict | list) else made


def _layer_to_2(node: Config, problems: list[str]) -> Config:
    old, config = node["class_name"], node["config"]
    kind = _CLASSES.get(old, old)
    if isinstance(config, list):
        return node
    if "layers" in config and old != "Merge":
        # Only the first layer of a Sequential tells what the model takes; a functional model has input layers for that.
        inner = [n | {"config": {k: v for k, v in n["config"].items() if k != "input_dtype"}} for n in keras_configs.inner(node)]
        return node | {"config": config | {"layers": inner}}
    if kind not in _SAME and not kind.startswith(_POOLING):
        problems.append(f"{config.get('name', old)} ({old})")
        return node
    if kind == "BatchNormalization" and config.get("mode", 0) != 0:
        problems.append(f"{config.get('name', old)} (BatchNormalization in mode {config['mode']})")
    if old == "Merge":
        kind, made = _merge_to_2(config, problems)
    else:
        made = _special_to_2(kind, {_RENAMED.get(k, k): v for k, v in config.items() if k not in _DROPPED}, config)
    return node | {"class_name": kind, "config": {key: _part_to_2(key, value) for key, value in made.items()}}


def _special_to_2(kind: str, made: Config, config: Config) -> Config:
    """Arguments that did not only change their names; `config` is what Keras 1 wrote, `made` has Keras 2's names already."""
    if config.get("batch_input_shape") and config.get("input_dtype"):
        made["input_dtype"] = config["input_dtype"]
    for size in (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3")):
        if size[0] in made:
            made["kernel_size"] = [made.pop(s) for s in size]
    if kind == "Embedding":
        for part in ("initializer", "regularizer", "constraint"):
            made[f"embeddings_{part}"] = made.pop(f"kernel_{part}", None)
        made["input_dim"] = config["input_dim"]
        made.pop("dropout", None)
    elif kind in _UNIT_LAYERS and "output_dim" in made:
        made["units"] = made.pop("output_dim")
    elif kind == "PReLU":
        made["alpha_initializer"] = made.pop("kernel_initializer", "zeros")
    elif kind == "Conv2DTranspose":
        made.pop("output_shape", None)
    elif "Dropout" in kind and "p" in made:
        made["rate"] = made.pop("p")
    if isinstance(made.get("unit_forget_bias"), str):
        made["unit_forget_bias"] = made["unit_forget_bias"] == "one"
    if "data_format" in made:
        made["data_format"] = {"tf": "channels_last", "th": "channels_first"}.get(made["data_format"], made["data_format"])
    return made | {"reset_after": False} if kind == "GRU" else made


def _part_to_2(key: str, value: Any) -> Any:
    """An initializer, a regularizer or a constraint."""
    if key.endswith("_initializer") and isinstance(value, str):
        return _INITIALIZERS.get(value, value)
    if key.endswith("_regularizer") and isinstance(value, dict) and "class_name" not in value:
        return {"class_name": "L1L2", "config": {"l1": value.get("l1", 0.0), "l2": value.get("l2", 0.0)}}
    if key.endswith("_constraint") and isinstance(value, dict) and "class_name" not in value:
        name = str(value.get("name", "")).lower()
        if name == "maxnorm":
            return {"class_name": "MaxNorm", "config": {"max_value": value.get("m", 2), "axis": value.get("axis", 0)}}
        return {"nonneg": {"class_name": "NonNeg", "config": {}}, "unitnorm": {"class_name": "UnitNorm", "config": {}}}.get(name)
    return value


def _merge_to_2(config: Config, problems: list[str]) -> tuple[str, Config]:
    name, mode = config.get("name", "merge"), config.get("mode")
    made: Config = {"name": name}
    if mode not in _MERGES or config.get("layers") or config.get("mode_type") == "lambda":
        problems.append(f"{name} (Merge in mode {mode!r})" if mode not in _MERGES else f"{name} (Merge of whole models)")
    elif mode == "concat":
        made["axis"] = config.get("concat_axis", -1)
    elif mode in ("dot", "cos"):
        axes = config.get("dot_axes", -1)
        # Keras 1 wrote [[2], [2]] as well as [2, 2].
        made["axes"] = [a[0] if isinstance(a, list) and a else a for a in axes] if isinstance(axes, list) else axes
        made["normalize"] = mode == "cos"
    return _MERGES.get(str(mode), "Merge"), made


def _with_input_layer(node: Config) -> Config:
    if node["class_name"] != "Sequential":
        return node
    config = node["config"] if isinstance(node["config"], dict) else {"name": node.get("name", "sequential"), "layers": node["config"]}
    found = config.get("layers")
    if not isinstance(found, list) or not found or not isinstance(found[0], dict) or not isinstance(found[0].get("config"), dict):
        return node | {"config": config}
    first = found[0]["config"]
    shape = first.get("batch_input_shape")
    if found[0]["class_name"] != "InputLayer" and isinstance(shape, list):
        dtype = keras_configs.input_dtype(first)
        entry = {"class_name": "InputLayer", "config": {"batch_input_shape": shape, "dtype": dtype, "name": f"{first.get('name')}_input"}}
        if "module" in found[0]:
            entry |= {"module": "keras.layers", "registered_name": None}
        rest = {k: v for k, v in first.items() if k not in ("batch_input_shape", "input_dtype")}
        if dtype.startswith(("int", "uint", "bool")) and rest.get("dtype") == dtype:
            rest["dtype"] = "float32"  # what the layer takes is not what it computes in
        config = config | {"layers": [entry, found[0] | {"config": rest}, *found[1:]]}
    return node | {"config": config}


def _node_to_2_15(node: Config) -> Config:
    made = dict(node)
    package, _, rest = str(node.get("module")).partition(".")
    if package == "tf_keras":
        made["module"] = f"keras.{rest}" if rest else "keras"
    if node["class_name"] == "InputLayer" and node["config"].get("optional") is False:  # tf-keras 2.16 added it
        made["config"] = {k: v for k, v in node["config"].items() if k != "optional"}
    return made


def _node_to_3(node: Config) -> Config:
    kind, config = _CLASSES_3.get(node["class_name"], node["class_name"]), node["config"]
    if isinstance(config, list):
        return node
    refused = _REFUSED_BY_3.get(kind, {})
    made = {k: v for k, v in config.items() if not (k in refused and refused[k] in (None, v))}
    if kind == "GRU":
        made.setdefault("reset_after", False)  # there was no other before Keras 2.1.4
    elif kind == "Lambda":
        made["function"] = _lambda_to_3(made.get("function"))
    elif kind == "ThresholdedReLU":
        kind, made = "ReLU", {k: v for k, v in made.items() if k != "theta"} | {"threshold": made.get("theta", 1.0)}
    if kind != "InputLayer":
        made.pop("batch_input_shape", None)  # Sequentials have an input layer by now, elsewhere it means nothing
    made = {key: _argument_to_3(key, value) for key, value in made.items()}
    if isinstance(made.get("layers"), list) and "input_layers" in made:
        made = _nested_nodes_to_3(made)
        made["layers"] = [n | {"inbound_nodes": [_call_to_3(c) for c in n.get("inbound_nodes") or []]} for n in made["layers"]]
    changed = node | {"class_name": kind, "config": made}
    if kind == "MultiHeadAttention":
        changed.pop("build_config", None)  # Keras 3 builds it of three shapes; its call tells them
    # Keras 3 looks the layer in a wrapper up by its module alone, which Keras before 2.13 did not write; tf-keras writes its own modules.
    unnamed = "module" not in node or (keras_configs.is_own(node["module"]) and node["module"] not in _PUBLIC_3)
    if unnamed and kind in keras_configs.OWN_LAYERS:
        changed["module"] = _MODELS_3.get(kind, "keras.layers")
    return changed


def _argument_to_3(key: str, value: Any) -> Any:
    """An argument whose value Keras 3 writes otherwise."""
    if key == "axis" and isinstance(value, list) and len(value) == 1:
        return value[0]
    if key == "dtype":
        return keras_configs.policy_name(value) or value
    if key in ("activation", "recurrent_activation") and isinstance(value, str):
        if value == "hard_sigmoid":
            return _function(HARD_SIGMOID)
        return value if value in keras_configs.OWN_ACTIVATIONS else _function(value)
    return value


def _lambda_to_3(function: Any) -> Any:
    if isinstance(function, list) and len(function) == 3:
        return {"class_name": "__lambda__", "config": dict(zip(("code", "defaults", "closure"), function, strict=True))}
    return _function(function) if isinstance(function, str) else function


def _function(name: str) -> Config:
    """A function by name in the form in which Keras 3 looks it up outside its own modules."""
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}


def _call_to_3(call: Any) -> Any:
    """A layer's call whose keywords are tensors, too (`[[layer, call, output, {"value": [layer, call, output]}]]`), in Keras 3's form."""
    if not isinstance(call, list) or not any(len(t) == 4 and _is_tensor_in(t[3]) for t in call if isinstance(t, list)):
        return call

    def tensor(at: list[Any]) -> Config:
        # Keras 3 takes the tensor of this history; shape and datatype only have to be there.
        return {"class_name": "__keras_tensor__", "config": {"shape": [None], "dtype": "float32", "keras_history": at[:3]}}

    arguments = [tensor(t) for t in call]
    keywords = {k: tensor(v) if _is_tensor(v) else v for k, v in call[0][3].items()}
    return {"args": arguments if len(arguments) == 1 else [arguments], "kwargs": keywords}


def _is_tensor(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and all(type(n) is int for n in value[1:])


def _is_tensor_in(keywords: Any) -> bool:
    return isinstance(keywords, dict) and any(_is_tensor(v) for v in keywords.values())


def _nested_nodes_to_3(config: Config) -> Config:
    """References to a nested model's calls, which Keras 2 counts from 1: its call 0 is the one that made the model itself."""
    models = {n.get("name") for n in config["layers"] if isinstance(n.get("config"), dict) and "layers" in n["config"]}
    used: dict[str, set[int]] = {}
    _references(config, models, lambda name, at: used.setdefault(name, set()).add(at) or at)
    shifted = {name for name, calls in used.items() if 0 not in calls}
    return _references(config, shifted, lambda _, at: at - 1)  # type: ignore[no-any-return]


def _references(config: Config, names: set[Any], change: Callable[[str, int], int]) -> Any:
    """A copy of a functional config in which every `[layer, call, output, ...]` of these layers has its call's number changed."""

    def visit(node: Any) -> Any:
        if isinstance(node, dict):
            return {k: visit(v) for k, v in node.items()}
        if not isinstance(node, list):
            return node
        if len(node) in (3, 4) and isinstance(node[0], str) and isinstance(node[1], int) and isinstance(node[2], int):
            rest = [visit(n) for n in node[3:]]
            return [node[0], change(node[0], node[1]) if node[0] in names else node[1], node[2], *rest]
        return [visit(n) for n in node]

    made = dict(config)
    made["layers"] = [n | {"inbound_nodes": visit(n.get("inbound_nodes", []))} for n in config["layers"]]
    return made | {key: visit(config.get(key)) for key in ("input_layers", "output_layers") if key in config}
