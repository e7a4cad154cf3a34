#!/usr/bin/env python3
"""Make speech of mel spectra, or copies of recordings by way of them.

    python recipes/vocode.py speech.wav FOLDER/ -o OUT/ --model MY_VOCODER

The same as the command ``sb-resizegan vocode``, whose --help has all options.
"""

import sys

from sb_resizegan.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["vocode", *sys.argv[1:]]))
