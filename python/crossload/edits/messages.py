"""Messages written back into the file that they were read from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crossload.artifacts.content import content, is_text
from crossload.support import files


def write(file: Path, message: Any) -> None:
    """Put `message` in the file's place, in the form it has: binary, or text; whole or not at all."""
    if is_text(content(file)):
        from google.protobuf import text_format

        files.write_text(file, text_format.MessageToString(message))
        return
    with files.written_whole(file) as partial:
        partial.write_bytes(message.SerializeToString(deterministic=True))
