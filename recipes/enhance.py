#!/usr/bin/env python3
"""Enhance sound files and whole trees of them.

    python recipes/enhance.py noisy.wav FOLDER/ -o OUT/

The same as the command ``sb-resizegan enhance``, whose --help has all options.
"""

import sys

from sb_resizegan.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["enhance", *sys.argv[1:]]))
