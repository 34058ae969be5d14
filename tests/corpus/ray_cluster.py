# /// script
# requires-python = ">=3.10"
# dependencies = ["ray[client]"]
# ///
"""Ray's own command line, in an environment with crossload's libraries and Ray."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from ray.scripts.scripts import main

    sys.exit(main())
