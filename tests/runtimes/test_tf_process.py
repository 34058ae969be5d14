"""The core's side of TensorFlow's process: a runtime without Python TensorFlow cannot load a source."""

from __future__ import annotations

import pytest

from crossload.errors import CrossloadError
from crossload.runtimes import tf_process


@pytest.mark.parametrize("name", ["litert", "tensorflow-java", "tensorflow-java-jpype"])
def test_a_runtime_without_python_tensorflow_loads_no_source(name: str) -> None:
    with pytest.raises(CrossloadError, match=f"{name}@.* has no Python TensorFlow that could load a source; --load-with takes tensorflow"):
        tf_process.loader(name)


@pytest.mark.parametrize("name", ["tensorflow", "tensorflow@2.15.1", "tensorflow+python@2.15.1"])
def test_both_releases_of_python_tensorflow_load_sources(name: str) -> None:
    assert tf_process.loader(name).name == "tensorflow+python"
