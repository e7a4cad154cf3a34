#!/usr/bin/env python3
"""Measure upsampling artefacts of any recordings or of any generator.

    python recipes/measure.py FOLDER_OF_WAVS --reference REAL_SPEECH

The same as the command ``sb-resizegan measure``, whose --help has all options.
"""

import sys

from sb_resizegan.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["measure", *sys.argv[1:]]))
