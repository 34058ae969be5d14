"""How the TensorFlow process reports an exception: by the line that names the cause."""

from __future__ import annotations

import pytest

from crossload.errors import ModelError
from crossload.tf_process import __main__
from crossload.workers.kit.errors import KitError


class DataLossError(Exception):
    """As TensorFlow's."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            DataLossError("Graph execution error:\n\nDetected at node 'r' defined at\nNode: 'r'\nChecksum does not match"),
            "Checksum does not match",
        ),
        (DataLossError("2 root error(s) found.\n  Unsuccessful TensorSliceReader"), "Unsuccessful TensorSliceReader"),
        (DataLossError("Graph execution error:"), "Graph execution error:"),
        (DataLossError(), ""),
    ],
)
def test_the_line_that_names_the_cause_is_shown_with_the_error_s_class(error: Exception, said: str) -> None:
    assert __main__._sentence(error) == (f"DataLossError: {said}" if said else "DataLossError")


def test_of_an_error_in_a_traced_function_the_cause_is_shown_and_not_the_trace() -> None:
    error = TypeError(
        'in user code:\n\n    File "model.py", line 7, in serve  *\n        x.to_tensor("")\n\n    TypeError: no such argument\n'
    )
    assert __main__._sentence(error) == "TypeError: no such argument"


def test_an_own_error_is_a_whole_sentence() -> None:
    assert __main__._sentence(ModelError("it holds a queue")) == "it holds a queue"
    assert __main__._sentence(KitError("it holds a Lambda")) == "it holds a Lambda"
