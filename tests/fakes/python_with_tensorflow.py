"""A Python whose TensorFlow is nobody's: does a job's steps by their `source`, and says which process did them.

Started as `python -m crossload.tf_process`. A source called `die` ends the process, `spoil` leaves it no longer fresh, `print` prints
a line without an end, `fail` is an error of the job, `crash` ends the process by a signal after the steps before it are written.
"""

import json
import os
import signal
import sys
from pathlib import Path

fresh = True
for path in sys.stdin:
    job = json.loads(Path(path.rstrip("\n")).read_text())
    names = [step["source"] for step in job["steps"]]
    if "die" in names:
        print("out of memory", file=sys.stderr, flush=True)
        os._exit(7)
    if "crash" in names:
        before = [{"bindings": {"pid": os.getpid()}} for _ in names[: names.index("crash")]]
        Path(job["result"]).write_text(json.dumps({"made": before}))
        os.kill(os.getpid(), signal.SIGSEGV)
    if "print" in names:
        print("epoch 1\nepoch 2", end="")
    fresh = fresh and "spoil" not in names
    made = {"made": [{"bindings": {"pid": os.getpid()}} for _ in names], "is_fresh": fresh, "producer": {"tensorflow": "2.21.0"}}
    Path(job["result"]).write_text(json.dumps({"error": "it holds a queue"} if "fail" in names else made))
    print(job["done"], flush=True)
