#!/usr/bin/env python3
"""Train a grid of window generators under one budget, and gather figures, a table and a report.

    python recipes/compare.py hparams/compare.yaml --jobs 2

The same as the command ``sb-resizegan compare``, whose --help has all options.
"""

import sys

from sb_resizegan.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["compare", *sys.argv[1:]]))
