"""Models that phones and microcontrollers run, small and seeded, each with samples: `crossload export mobile_zoo.py:keyword_spotter`."""

import keras
import numpy as np
import tensorflow as tf

layers = keras.layers
Samples = dict[str, np.ndarray]
SEED = 11


def _waves(*shape: int) -> np.ndarray:
    """Smooth samples, each of its own frequency and phase: [n, time, channels] or [n, height, width, channels]."""
    drawn = np.random.default_rng(SEED)
    count, *places, channels = shape
    phase = sum(
        drawn.uniform(0.1, 1.5, size=(count, *[1] * len(places), channels)) * place[None, ..., None] for place in np.indices(places)
    )
    return np.sin(phase + drawn.uniform(0, 6.3, size=(count, *[1] * len(places), channels))).astype(np.float32)


def mobilenet() -> tuple[keras.Model, Samples]:
    """MobileNetV2 of 48 × 48 pixels, the smallest width; its statistics are those of the samples, as after training."""
    keras.utils.set_random_seed(SEED)
    model = keras.applications.MobileNetV2((48, 48, 3), alpha=0.35, weights=None, classes=10)
    images = _waves(32, 48, 48, 3)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    model(images, training=True)
    return model, {model.inputs[0].name: images}


def _recurrent(batch: int | None, **options: bool) -> tuple[keras.Model, Samples]:
    keras.utils.set_random_seed(SEED)
    x = keras.Input((12, 6), batch, name="frames")
    y = layers.GRU(16, name="gru", **options)(layers.LSTM(16, return_sequences=True, name="lstm", **options)(x))
    return keras.Model(x, layers.Dense(4, activation="softmax", name="classes")(y)), {
        "frames": _waves(32 if batch is None else batch, 12, 6)
    }


def recurrent() -> tuple[keras.Model, Samples]:
    """A Keras LSTM and a GRU over 12 frames, as loops; the converter needs the batch: --shape frames=1,12,6."""
    return _recurrent(None)


def unrolled() -> tuple[keras.Model, Samples]:
    """The same without loops, which TensorFlow's converter can quantise."""
    return _recurrent(1, unroll=True)


def stateful_lstm() -> tuple[keras.Model, Samples]:
    """An LSTM that goes on where its last call ended (stateful=True), 4 frames a call."""
    keras.utils.set_random_seed(SEED)
    x = keras.Input(batch_shape=(1, 4, 6), name="frames")
    y = layers.Dense(4, activation="softmax", name="classes")(layers.LSTM(16, stateful=True, name="lstm")(x))
    return keras.Model(x, y), {"frames": _waves(1, 4, 6)}


def transformer() -> tuple[keras.Model, Samples]:
    """A block of a transformer: attention, normalisation, two dense layers."""
    keras.utils.set_random_seed(SEED)
    x = keras.Input((10, 32), name="tokens")
    y = layers.LayerNormalization(name="norm_1")(x + layers.MultiHeadAttention(2, 16, name="attention")(x, x))
    y = layers.LayerNormalization(name="norm_2")(y + layers.Dense(32, name="down")(layers.Dense(64, activation="gelu", name="up")(y)))
    return keras.Model(x, layers.Dense(5, name="logits")(layers.GlobalAveragePooling1D()(y))), {"tokens": _waves(32, 10, 32)}


class KeywordSpotter(tf.Module):
    """A frame of 40 features a call; the variable `past` keeps the 16 frames before it, over which a filter a channel runs (SVDF)."""

    def __init__(self) -> None:
        super().__init__()
        drawn = tf.random.Generator.from_seed(SEED)
        self.past = tf.Variable(tf.zeros([1, 16, 1, 64]), name="past")
        self.into, self.into_bias = tf.Variable(drawn.normal([40, 64]) / 6), tf.Variable(drawn.normal([64]) / 6)
        self.over_time = tf.Variable(drawn.normal([16, 1, 64, 1]) / 3)
        self.hidden, self.hidden_bias = tf.Variable(drawn.normal([64, 128]) / 6), tf.Variable(drawn.normal([128]) / 6)
        self.out, self.out_bias = tf.Variable(drawn.normal([128, 12]) / 6), tf.Variable(drawn.normal([12]) / 6)

    @tf.function(input_signature=[tf.TensorSpec([1, 40], tf.float32, "frame")])
    def spot(self, frame: tf.Tensor) -> dict[str, tf.Tensor]:
        """The scores of 12 words after this frame."""
        newest = tf.reshape(tf.nn.relu(frame @ self.into + self.into_bias), [1, 1, 1, 64])
        window = tf.concat([self.past[:, 1:], newest], axis=1)
        self.past.assign(window)
        filtered = tf.reshape(tf.nn.relu(tf.nn.depthwise_conv2d(window, self.over_time, [1, 1, 1, 1], "VALID")), [1, 64])
        hidden = tf.nn.relu(filtered @ self.hidden + self.hidden_bias)
        return {"words": tf.nn.softmax(hidden @ self.out + self.out_bias)}


def keyword_spotter() -> tuple[tf.Module, Samples]:
    """A streaming keyword spotter of the size that microcontrollers hold."""
    return KeywordSpotter(), {"frame": _waves(1, 40)}


WORDS = ["no", "yes", "lights", "on", "off", "please"]


class Intent(tf.Module):
    """Words of a sentence, split already, to the score of each intent; unknown words count as one."""

    def __init__(self) -> None:
        super().__init__()
        pairs = tf.lookup.KeyValueTensorInitializer(WORDS, tf.range(1, len(WORDS) + 1, dtype=tf.int64))
        self.table = tf.lookup.StaticHashTable(pairs, 0)
        drawn = tf.random.Generator.from_seed(SEED)
        self.embedding = tf.Variable(drawn.normal([len(WORDS) + 1, 8]))
        self.out = tf.Variable(drawn.normal([8, 3]))

    @tf.function(input_signature=[tf.TensorSpec([4], tf.string, "words")])
    def intent(self, words: tf.Tensor) -> dict[str, tf.Tensor]:
        """The scores of three intents."""
        mean = tf.reduce_mean(tf.gather(self.embedding, self.table.lookup(words)), axis=0, keepdims=True)
        return {"intents": tf.nn.softmax(mean @ self.out)}


def intent() -> tuple[tf.Module, Samples]:
    """A text model that takes words as strings."""
    return Intent(), {"words": np.array([b"lights", b"on", b"please", b"now"])}


class Sentence(Intent):
    """The same, which splits a sentence itself: TFLite has no operator that does."""

    @tf.function(input_signature=[tf.TensorSpec([1], tf.string, "sentence")])
    def intent(self, sentence: tf.Tensor) -> dict[str, tf.Tensor]:
        """The scores of three intents."""
        words = tf.strings.split(tf.strings.lower(sentence)).to_tensor(default_value="", shape=[1, 4])
        mean = tf.reduce_mean(tf.gather(self.embedding, self.table.lookup(words)), axis=1)
        return {"intents": tf.nn.softmax(mean @ self.out)}


def sentence() -> tuple[tf.Module, Samples]:
    """A text model that takes a sentence as one string."""
    return Sentence(), {"sentence": np.array([b"Lights on please"])}
