"""`once` calls its function once, even from concurrent threads."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from crossload.support.once import once


def test_concurrent_threads_share_one_result() -> None:
    made = []

    @once
    def make() -> object:
        made.append(object())
        time.sleep(0.02)
        return made[-1]

    got: list[object] = []
    threads = [threading.Thread(target=lambda: got.append(make())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert got == made * 8


def test_a_failed_call_is_repeated() -> None:
    tries = []

    @once
    def make() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("not yet")
        return 7

    with pytest.raises(OSError, match="not yet"):
        make()
    assert make() == 7


@pytest.mark.parametrize(
    "messages",
    [
        "crossload.artifacts.checkpoints.checkpoint_protos:messages",
        "crossload.inputs.tf_example:_messages",
        "crossload.edits.warmup:_messages",
    ],
)
def test_concurrent_threads_declare_messages_once(messages: str) -> None:
    module, _, function = messages.partition(":")
    code = (
        "import sys, threading; from concurrent.futures import ThreadPoolExecutor; sys.setswitchinterval(1e-6)\n"
        f"from {module} import {function} as declared\n"
        "start = threading.Barrier(8)\n"
        "with ThreadPoolExecutor(8) as pool: list(pool.map(lambda _: (start.wait(), declared()), range(8)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
