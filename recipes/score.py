#!/usr/bin/env python3
"""Score a folder of degraded or enhanced speech against a folder of clean speech.

    python recipes/score.py REFERENCE_DIR DEGRADED_DIR

The same as the command ``sb-resizegan score``, whose --help has all options.
"""

import sys

from sb_resizegan.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["score", *sys.argv[1:]]))
