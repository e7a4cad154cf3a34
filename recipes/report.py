#!/usr/bin/env python3
"""Make one self-contained page of finished trainings: spectrograms, players, curves, measures.

    python recipes/report.py results/nearest/1986

The same as the command ``sb-resizegan report``, whose --help has all options.
"""

import sys

from sb_resizegan.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["report", *sys.argv[1:]]))
