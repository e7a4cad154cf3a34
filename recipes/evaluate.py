#!/usr/bin/env python3
"""Score an enhancer on pairs of noisy and clean speech: a table by signal-to-noise ratio, sounds, a page.

    python recipes/evaluate.py enhance-base --data PAIRS -o OUT/

The same as the command ``sb-resizegan evaluate``, whose --help has all options.
"""

import sys

from sb_resizegan.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
