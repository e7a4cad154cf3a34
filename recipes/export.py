#!/usr/bin/env python3
"""Turn a training's checkpoint into a folder that the SpeechBrain interface loads.

    python recipes/export.py results/nearest/1986

The same as the command ``sb-resizegan export``, whose --help has all options.
"""

import sys

from sb_resizegan.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["export", *sys.argv[1:]]))
