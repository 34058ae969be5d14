"""Writes messages back into their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crossload.artifacts.content import content, is_text
from crossload.support import files


def write(file: Path, message: Any) -> None:
    """Replace the file by `message`, in the same form (binary or text), whole or not at all."""
    if is_text(content(file)):
        from google.protobuf import text_format

        files.write_text(file, text_format.MessageToString(message))
        return
    with files.written_whole(file) as partial:
        partial.write_bytes(message.SerializeToString(deterministic=True))
