"""Reads the config of a Keras model of any generation without Keras: layers, embedded code, classes that are not Keras' own.

A config is the JSON of a .keras file's config.json, or of the attribute `model_config` of an HDF5 file. Both the readers of files and
the loader use it; it imports the standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_MOST_DEEP = 64
_MOST_NODES = 1_000_000
# Where Keras' own classes live, in all generations and packagings.
_OWN_MODULES = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras", "tensorflow_core.keras", "tensorflow_core.python.keras")
# Keys under which a Lambda layer of Keras 1 and 2 holds functions; beside each, `<key>_type` says of which kind it is.
_LAMBDA_KEYS = ("function", "output_shape", "mask")


class ConfigError(ValueError):
    """A config that no Keras can have written; the sentence goes on after the file's name."""


@dataclass(frozen=True)
class Layer:
    """A layer of a model or of one nested in it; `path` are the names that lead to it, `module` is None where the format has none."""

    path: str
    class_name: str
    config: dict[str, Any]
    module: str | None = None
    wraps: bool = False

    @property
    def dtype(self) -> str | None:
        """The datatype, or the name of the policy (`mixed_float16`), that the layer states."""
        return policy_name(self.config.get("dtype") or self.config.get("dtype_policy"))


@dataclass(frozen=True)
class Code:
    """A Python function in a model: marshalled bytecode, or the name of a function that the loading program must have."""

    layer: str
    kind: str  # "bytecode" or "function"
    name: str = ""


def parse(text: str | bytes) -> dict[str, Any]:
    """The config as `{"class_name", "config", ...}`; raises ConfigError."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        raise ConfigError(f"its model config is {'JSON nested too deeply' if deep else f'not JSON ({str(error)[:100]})'}") from error
    if not isinstance(found, dict) or not isinstance(found.get("class_name"), str) or not isinstance(found.get("config"), dict | list):
        raise ConfigError("its model config names no class and no config")
    _check_size(found)
    return found


def generation(version: str | None) -> int:
    """Which Keras wrote a file, by its `keras_version`: 1, 2 or 3. Files of the first have none, or 1.x."""
    beginning = (version or "1").split(".", maxsplit=1)[0]
    return int(beginning) if beginning in ("1", "2", "3") else 3


def name_of(node: dict[str, Any]) -> str:
    """The name of a layer or model; the class where it has none."""
    config = node.get("config")
    name = node.get("name") or (config.get("name") if isinstance(config, dict) else None)
    return name if isinstance(name, str) else str(node.get("class_name"))


def inner(node: dict[str, Any]) -> list[dict[str, Any]]:
    """The layers of a model's config, in their order; empty if it is not a model. Early Sequentials are a plain list."""
    config = node.get("config")
    found = config if isinstance(config, list) else config.get("layers") if isinstance(config, dict) else None
    return [n for n in found if _is_object(n)] if isinstance(found, list) else []


def layers(config: dict[str, Any]) -> list[Layer]:
    """All layers, those of nested models and of wrappers behind the one that holds them."""
    found: list[Layer] = []
    waiting = [(n, name_of(n), False) for n in reversed(inner(config))]
    while waiting:
        node, path, wrapped = waiting.pop()
        held = inner(node) or ([] if isinstance(node["config"], list) else [v for k, v in _held(node["config"]) if k in _WRAPPED])
        own = node["config"] if isinstance(node["config"], dict) else {}
        module = node.get("module")
        found.append(Layer(path, str(node["class_name"]), own, module if isinstance(module, str) else None, wrapped))
        waiting += [(n, f"{path}/{name_of(n)}", not inner(node)) for n in reversed(held)]
    return found


_WRAPPED = ("layer", "backward_layer", "cell", "cells")


def code(config: dict[str, Any]) -> list[Code]:
    """The functions in a config, at any depth. Nothing of them is decoded."""
    found: dict[Code, None] = {}
    for node, layer in _objects(config):
        inside = node.get("config")
        kind = node.get("class_name")
        if kind == "__lambda__":
            found[Code(layer, "bytecode")] = None
        elif _is_function(node):
            found[Code(layer, "function", node["config"])] = None
        elif kind == "Lambda" and isinstance(inside, dict):
            for key in _LAMBDA_KEYS:
                value = inside.get(key)
                marked = inside.get(f"{key}_type") == "lambda"
                if marked or (isinstance(value, list) and value and isinstance(value[0], str)):
                    found[Code(layer, "bytecode")] = None
                elif isinstance(value, str) and (key == "function" or inside.get(f"{key}_type") == "function"):
                    found[Code(layer, "function", value)] = None
    return list(found)


def custom_classes(config: dict[str, Any]) -> list[str]:
    """Names of classes and functions that are not Keras' own, as they are registered (`Scale`, `mine>Scale`), in order of appearance."""
    found: dict[str, None] = {}
    for node, _ in _objects(config):
        kind = str(node.get("class_name"))
        registered = node.get("registered_name")
        name = registered if isinstance(registered, str) and registered else kind
        if kind in ("__lambda__", "__tensor__", "__numpy__", "__keras_tensor__", "__bytes__", "__typespec__", "__ellipsis__", "__tuple__"):
            continue
        if kind == "function":
            if _is_function(node):
                found[node["config"]] = None
        elif "module" in node:
            if not is_own(node["module"]):
                found[name] = None
        elif ">" in kind:
            found[kind] = None
    found |= {c.name: None for c in code(config) if c.kind == "function"}
    # The legacy form names no modules, so a layer is Keras' own when its name is known.
    for layer in [_top(config), *layers(config)]:
        unknown = layer.module is None and layer.class_name not in OWN_LAYERS and not _is_operation(layer.class_name, layer.config)
        if unknown and layer.class_name not in [n.rpartition(">")[2] for n in found]:
            found[layer.class_name] = None
        for key in ("activation", "recurrent_activation"):
            function = layer.config.get(key)
            if isinstance(function, str) and function not in OWN_ACTIVATIONS:
                found[function] = None
    return list(found)


def operations(config: dict[str, Any]) -> list[str]:
    """Operations of keras.ops listed as layers in an HDF5 file of Keras 3, which does not state their module."""
    found = [layer for layer in layers(config) if layer.module is None and _is_operation(layer.class_name, layer.config)]
    return list(dict.fromkeys(layer.class_name for layer in found))


def gone_in_3(config: dict[str, Any]) -> list[str]:
    """Layers of Keras 2 that Keras 3 has no counterpart for, as `path (class)`."""
    return [f"{layer.path} ({layer.class_name})" for layer in layers(config) if layer.class_name in _GONE_IN_3]


def policy_name(dtype: Any) -> str | None:
    """The name of a datatype or policy in any generation's form."""
    if isinstance(dtype, dict):
        inside = dtype.get("config")
        dtype = inside.get("name") if isinstance(inside, dict) else None
    return dtype if isinstance(dtype, str) else None


def batch_shape(config: dict[str, Any]) -> list[int | None] | None:
    """The shape, batch included, that a layer's config states for its input, under whichever name its generation has for it."""
    for key in ("batch_shape", "batch_input_shape"):
        if _is_shape(config.get(key)):
            return list(config[key])
    for key in ("shape", "input_shape"):
        if _is_shape(config.get(key)):
            return [None, *config[key]]
    return None


def input_dtype(config: dict[str, Any]) -> str:
    """The datatype of a model's input that its first layer states, where there is no input layer."""
    for stated in (config.get("input_dtype"), config.get("dtype")):
        if isinstance(stated, str) and not stated.startswith("mixed"):
            return stated
    return "float32"


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(d is None or (type(d) is int and -1 <= d < 1 << 62) for d in value) and len(value) <= 254


def _top(config: dict[str, Any]) -> Layer:
    inside = config["config"]
    return Layer(name_of(config), config["class_name"], inside if isinstance(inside, dict) else {}, "" if "module" in config else None)


def _is_operation(class_name: str, config: dict[str, Any]) -> bool:
    """Every layer states whether it is trainable, operations do not (InputLayer is a layer of its own kind)."""
    return class_name != "InputLayer" and set(config) == {"name"}


def is_own(module: Any) -> bool:
    """Whether a module is one of Keras' own, in any generation and packaging."""
    return isinstance(module, str) and any(module == own or module.startswith(f"{own}.") for own in _OWN_MODULES)


def _is_function(node: dict[str, Any]) -> bool:
    """Whether this names a function of the user's."""
    name = node["config"]
    return node["class_name"] == "function" and isinstance(name, str) and not is_own(node.get("module")) and name not in OWN_ACTIVATIONS


def _is_object(node: Any) -> bool:
    return isinstance(node, dict) and isinstance(node.get("class_name"), str) and isinstance(node.get("config"), dict | list)


def _held(config: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in config.items():
        for node in value if isinstance(value, list) else [value]:
            if _is_object(node):
                yield key, node


def _objects(config: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Every serialised object (a dictionary with a class) that builds the model, with the path of its layer.

    Leaves out how the model was compiled: it is loaded for its answers.
    """
    waiting: list[tuple[Any, str]] = [(config, "")]
    while waiting:
        node, path = waiting.pop()
        if isinstance(node, list):
            waiting += [(n, path) for n in reversed(node)]
        elif isinstance(node, dict):
            if isinstance(node.get("class_name"), str) and "config" in node:
                if _is_object(node) and name_of(node) != node["class_name"]:
                    path = name_of(node) if not path or path == name_of(config) else f"{path}/{name_of(node)}"
                yield node, path or name_of(node)
            waiting += [(v, path) for k, v in reversed(node.items()) if k not in ("compile_config", "build_config")]


def _check_size(config: dict[str, Any]) -> None:
    """Check the limits once, so that code that walks a config needs none of its own."""
    waiting: list[tuple[Any, int]] = [(config, 0)]
    seen = 0
    while waiting:
        node, depth = waiting.pop()
        seen += 1
        if depth > _MOST_DEEP or seen > _MOST_NODES:
            raise ConfigError(f"its model config is nested deeper than {_MOST_DEEP} levels or has more than {_MOST_NODES:,} parts")
        if isinstance(node, dict | list):
            waiting += [(v, depth + 1) for v in (node.values() if isinstance(node, dict) else node)]


_ACTIVATIONS = """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid log_softmax mish
    relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh
    tanh_shrink threshold
"""
# Layers and models of Keras 1, 2 and 3.
_LAYERS = """
    AbstractRNNCell Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
    AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AddLoss AddMetric AdditiveAttention AlphaDropout
    AtrousConvolution1D AtrousConvolution2D Attention AugMix AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D
    AvgPool1D AvgPool2D AvgPool3D BatchNormalization BatchNormalizationV1 BatchNormalizationV2 Bidirectional CategoryEncoding CenterCrop
    ClassMethod Concatenate ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D
    Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Convolution1D Convolution1DTranspose Convolution2D Convolution2DTranspose
    Convolution3D Convolution3DTranspose Cropping1D Cropping2D Cropping3D CuDNNGRU CuDNNLSTM CutMix Deconv2D Deconv3D Deconvolution2D
    Dense DenseFeatures DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU EinsumDense Embedding Equalization Flatten
    FlaxLayer Functional GRU GRUCell GRUV1 GRUV2 GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D Graph GroupNormalization GroupQueryAttention HashedCrossing Hashing Highway
    Identity InputLayer InstanceMethod InstanceProperty IntegerLookup JaxLayer LSTM LSTMCell LSTMV1 LSTMV2 Lambda Layer LayerNormalization
    LeakyReLU LocallyConnected1D LocallyConnected2D Masking MaxNumBoundingBoxes MaxPool1D MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D
    MaxPooling3D Maximum MaxoutDense MelSpectrogram Merge Minimum MixUp Model MultiHeadAttention Multiply Network Normalization PReLU
    ParametricSoftplus Permute Pipeline PreprocessingLayer RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration
    RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale
    RandomHeight RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear
    RandomTranslation RandomWidth RandomZoom ReLU RepeatVector Rescaling Reshape Resizing ReversibleEmbedding SReLU STFTSpectrogram
    SeparableConv1D SeparableConv2D SeparableConvolution1D SeparableConvolution2D Sequential SimpleRNN SimpleRNNCell SlicingOpLambda
    Softmax Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells StringLookup Subtract
    SyncBatchNormalization TFOpLambda TFSMLayer TensorFlowOpLayer TextVectorization ThresholdedReLU TimeDistributed TimeDistributedDense
    TorchModuleWrapper UnitNormalization UpSampling1D UpSampling2D UpSampling3D Wrapper ZeroPadding1D ZeroPadding2D ZeroPadding3D
"""
_GONE_IN_3 = {
    "ClassMethod", "CuDNNGRU", "CuDNNLSTM", "DenseFeatures", "InstanceMethod", "InstanceProperty", "LocallyConnected1D",
    "LocallyConnected2D", "RandomHeight", "RandomWidth", "SlicingOpLambda", "TFOpLambda", "TensorFlowOpLayer",
}  # fmt: skip
OWN_ACTIVATIONS, OWN_LAYERS = frozenset(_ACTIVATIONS.split()), frozenset(_LAYERS.split())
