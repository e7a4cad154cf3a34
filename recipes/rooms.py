#!/usr/bin/env python3
"""Simulate impulse responses of rooms, to train enhancers with reverberation.

    python recipes/rooms.py -o ROOMS --count 3000

The same as the command ``sb-resizegan rooms``, whose --help has all options.
"""

import sys

from sb_resizegan.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["rooms", *sys.argv[1:]]))
