"""What a model may use behind a wall: memory, processes, files, processor time. The time of an answer is the supervisor's limit."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """Bytes of memory, number of processes and threads, bytes of one file and of /tmp, seconds of processor time in all."""

    memory: int = 8 << 30
    processes: int = 256 + 8 * (os.cpu_count() or 1)  # TensorFlow has several threads for each core
    file_size: int = 64 << 20
    temporary: int = 256 << 20
    processor_seconds: int = 3600


BOUNDS = Bounds()
