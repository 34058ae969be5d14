"""Configs and weights of an older Keras are rewritten for a newer one, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from crossload.workers.kit import keras_migration
from crossload.workers.kit.keras_migration import CannotMigrate


def model(*layers: Any) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": [{"class_name": kind, "config": {"name": "n", **config}} for kind, config in layers]}


def only(config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    (node,) = config["config"]
    return node["class_name"], {k: v for k, v in node["config"].items() if k != "name"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            ("Dense", {"output_dim": 3, "init": "normal", "bias": False}),
            ("Dense", {"units": 3, "kernel_initializer": "random_normal", "use_bias": False}),
        ),
        (
            ("Convolution2D", {"nb_filter": 4, "nb_row": 3, "nb_col": 2, "subsample": [2, 1], "border_mode": "same", "dim_ordering": "th"}),
            ("Conv2D", {"filters": 4, "kernel_size": [3, 2], "strides": [2, 1], "padding": "same", "data_format": "channels_first"}),
        ),
        (("Convolution1D", {"nb_filter": 4, "filter_length": 3}), ("Conv1D", {"filters": 4, "kernel_size": 3})),
        (("MaxPooling1D", {"pool_length": 2, "stride": 2}), ("MaxPooling1D", {"pool_size": 2, "strides": 2})),
        (
            ("AveragePooling2D", {"pool_size": [2, 2], "dim_ordering": "tf"}),
            ("AveragePooling2D", {"pool_size": [2, 2], "data_format": "channels_last"}),
        ),
        (("Dropout", {"p": 0.25}), ("Dropout", {"rate": 0.25})),
        (("GaussianNoise", {"sigma": 0.25}), ("GaussianNoise", {"stddev": 0.25})),
        (("Reshape", {"target_shape": [2, 3]}), ("Reshape", {"target_shape": [2, 3]})),
        (
            ("ZeroPadding2D", {"padding": [1, 1], "dim_ordering": "tf"}),
            ("ZeroPadding2D", {"padding": [1, 1], "data_format": "channels_last"}),
        ),
        (
            ("BatchNormalization", {"mode": 0, "epsilon": 0.1, "gamma_init": "one"}),
            ("BatchNormalization", {"epsilon": 0.1, "gamma_initializer": "ones"}),
        ),
        (
            ("Embedding", {"input_dim": 9, "output_dim": 2, "W_regularizer": None, "init": "zero", "dropout": 0.0}),
            (
                "Embedding",
                {
                    "input_dim": 9,
                    "output_dim": 2,
                    "embeddings_regularizer": None,
                    "embeddings_initializer": "zeros",
                    "embeddings_constraint": None,
                },
            ),
        ),
        (
            (
                "LSTM",
                {"output_dim": 3, "inner_activation": "hard_sigmoid", "forget_bias_init": "one", "dropout_U": 0.5, "consume_less": "gpu"},
            ),
            ("LSTM", {"units": 3, "recurrent_activation": "hard_sigmoid", "unit_forget_bias": True, "recurrent_dropout": 0.5}),
        ),
        (("GRU", {"output_dim": 3}), ("GRU", {"units": 3, "reset_after": False})),
        (("Merge", {"mode": "concat", "concat_axis": 2}), ("Concatenate", {"axis": 2})),
        (("Merge", {"mode": "sum", "layers": None}), ("Add", {})),
        (("Merge", {"mode": "cos", "dot_axes": [[1], [2]]}), ("Dot", {"axes": [1, 2], "normalize": True})),
        (
            ("Dense", {"W_regularizer": {"name": "WeightRegularizer", "l2": 0.5}, "b_constraint": {"name": "NonNeg"}}),
            (
                "Dense",
                {
                    "kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.5}},
                    "bias_constraint": {"class_name": "NonNeg", "config": {}},
                },
            ),
        ),
    ],
)
def test_keras_1s_arguments_have_their_later_names(old: Any, new: Any) -> None:
    assert only(keras_migration.to_keras_2(model(old))) == new


def test_layers_that_no_later_keras_has_are_all_named() -> None:
    old = model(("Highway", {}), ("Dense", {}), ("MaxoutDense", {}), ("Merge", {"mode": "weird"}), ("BatchNormalization", {"mode": 1}))
    with pytest.raises(CannotMigrate) as caught:
        keras_migration.to_keras_2(old)
    assert all(words in str(caught.value) for words in ("(Highway)", "(MaxoutDense)", "mode 'weird'", "in mode 1"))
    assert "(Dense)" not in str(caught.value)


def test_wrapped_layers_change_with_their_wrapper() -> None:
    made = keras_migration.to_keras_2(model(("TimeDistributed", {"layer": {"class_name": "Dense", "config": {"output_dim": 3}}})))
    assert only(made)[1]["layer"]["config"] == {"units": 3}


def test_a_layer_at_any_depth_gets_the_module_by_which_keras_3_finds_it() -> None:
    """Keras before 2.13 wrote no modules, tf-keras writes its own."""
    cell = {"class_name": "LSTMCell", "config": {"units": 3}}
    rnn = {"class_name": "RNN", "config": {"cell": {"class_name": "StackedRNNCells", "config": {"cells": [cell]}}}}
    inner = {"class_name": "Functional", "module": "tf_keras.src.engine.functional", "config": {"layers": [], "layer": rnn}}
    mine = {"class_name": "Mine", "config": {"layer": inner}}
    made = keras_migration.to_keras_3({"class_name": "Sequential", "config": {"layers": [mine]}})
    modules, node = [], made["config"]["layers"][0]
    assert "module" not in node
    for key in ("layer", "layer", "cell", "cells"):
        node = node["config"][key]
        node = node[0] if isinstance(node, list) else node
        modules.append(node["module"])
    assert modules == ["keras.src.models.functional", "keras.layers", "keras.layers", "keras.layers"]


def test_a_config_of_tf_keras_is_rewritten_for_keras_2_15_and_others_are_kept() -> None:
    entry = {"class_name": "InputLayer", "module": "keras.layers", "config": {"name": "x", "optional": False}}
    own = {"class_name": "Functional", "module": "tf_keras.src.engine.functional", "config": {"layers": [entry]}}
    made = keras_migration.to_keras_2_15(own)
    assert made["module"] == "keras.src.engine.functional" and made["config"]["layers"][0]["config"] == {"name": "x"}
    assert keras_migration.to_keras_2_15(made) == made


def test_a_plain_list_becomes_a_sequential_with_an_input_layer() -> None:
    old = model(("Embedding", {"batch_input_shape": [None, 4], "input_dtype": "int32", "dtype": "float32"}))
    made = keras_migration.modern_sequential(old)["config"]
    first, second = made["layers"]
    assert first["config"] == {"batch_input_shape": [None, 4], "dtype": "int32", "name": "n_input"}
    assert second["config"] == {"name": "n", "dtype": "float32"}
    assert keras_migration.modern_sequential({"class_name": "Sequential", "config": made})["config"] == made


def test_the_older_hard_sigmoid_keeps_its_own_name() -> None:
    made = only(keras_migration.to_keras_3({"class_name": "x", "config": {}} | model(("LSTM", {}))))
    assert made == ("LSTM", {})
    node = {"class_name": "LSTM", "config": {"activation": "tanh", "recurrent_activation": "hard_sigmoid", "time_major": False}}
    config = keras_migration.to_keras_3({"class_name": "Sequential", "config": {"layers": [node]}})["config"]["layers"][0]["config"]
    assert config["activation"] == "tanh" and config["recurrent_activation"]["config"] == keras_migration.HARD_SIGMOID
    assert "time_major" not in config


def test_an_argument_of_an_own_layer_stays_whatever_it_is_called() -> None:
    node = {"class_name": "Mine", "config": {"groups": 1, "time_major": False, "trainable": True}}
    assert keras_migration.to_keras_3(node) == node


@pytest.mark.parametrize(("calls", "expected"), [([1, 2], [0, 1]), ([0, 1], [0, 1])])
def test_calls_of_nested_models_count_from_zero(calls: list[int], expected: list[int]) -> None:
    inner = {
        "class_name": "Sequential",
        "config": {"name": "inner", "layers": []},
        "name": "inner",
        "inbound_nodes": [[["x", 0, 0, {}]]] * 2,
    }
    add = {"class_name": "Add", "config": {"name": "add"}, "name": "add", "inbound_nodes": [[["inner", at, 0, {}] for at in calls]]}
    config = {"name": "m", "layers": [inner, add], "input_layers": [["x", 0, 0]], "output_layers": [["add", 0, 0]]}
    made = keras_migration.to_keras_3({"class_name": "Functional", "config": config})["config"]
    assert [t[1] for t in made["layers"][1]["inbound_nodes"][0]] == expected


def test_a_theano_kernel_is_mirrored_and_a_channels_first_one_transposed() -> None:
    kernel = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(5, 4, 2, 3)  # filters, channels, rows, columns
    layer = {"class_name": "Conv2D", "config": {"data_format": "channels_first"}}
    (made,) = keras_migration.weights_to_keras_2(layer, [kernel], None)
    assert np.array_equal(made, kernel.transpose(2, 3, 1, 0))
    (mirrored,) = keras_migration.weights_to_keras_2(layer, [kernel], "theano")
    assert np.array_equal(mirrored, made[::-1, ::-1])


def test_a_nested_models_weights_find_their_layers() -> None:
    """Keras 1 wrote the trained weights of all layers first, then the others."""
    norm = {"class_name": "BatchNormalization", "config": {}}
    conv = {"class_name": "Conv2DTranspose", "config": {"data_format": "channels_last"}}
    kernel, rest = np.arange(24.0).reshape(1, 2, 3, 4), [np.full(3, float(n)) for n in range(5)]
    old = [rest[0], rest[1], kernel, rest[2], rest[3], rest[4]]
    made = keras_migration.weights_to_keras_2({"class_name": "Sequential", "config": {"layers": [norm, conv]}}, old, None)
    assert np.array_equal(made[2], kernel.transpose(0, 1, 3, 2))
    assert [a is b for a, b in zip(made, old, strict=True)] == [True, True, False, True, True, True]
