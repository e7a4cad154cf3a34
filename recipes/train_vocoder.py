#!/usr/bin/env python3
"""Train a vocoder: mel spectra to speech.

    python recipes/train_vocoder.py hparams/vocoder.yaml
    python recipes/train_vocoder.py hparams/vocoder.yaml --help
    torchrun --nproc_per_node=4 recipes/train_vocoder.py hparams/vocoder.yaml --data_folder SPEECH.csv

The same as the command ``sb-resizegan train-vocoder``, whose --help has all options.
"""

import sys

from sb_resizegan.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["train-vocoder", *sys.argv[1:]]))
