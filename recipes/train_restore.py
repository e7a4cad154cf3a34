#!/usr/bin/env python3
"""Train a generator that restores lost packets, a missing band, clipping and more, and score it.

    python recipes/train_restore.py hparams/restore.yaml
    python recipes/train_restore.py hparams/restore.yaml --help

The same as the command ``sb-resizegan train-restore``, whose --help has all options.
"""

import sys

from sb_resizegan.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["train-restore", *sys.argv[1:]]))
