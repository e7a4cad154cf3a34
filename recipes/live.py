#!/usr/bin/env python3
"""Enhance a stream of sound while it comes.

    python recipes/live.py --help

The same as the command ``sb-resizegan live``, whose --help has all options.
"""

import sys

from sb_resizegan.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["live", *sys.argv[1:]]))
