#!/usr/bin/env python3
"""Train a speech enhancer, adversarially or by regression, and score it.

    python recipes/train_enhance.py hparams/enhance.yaml
    python recipes/train_enhance.py hparams/enhance.yaml --help
    torchrun --nproc_per_node=4 recipes/train_enhance.py hparams/enhance.yaml --data_folder VOICEBANK

The same as the command ``sb-resizegan train-enhance``, whose --help has all options.
"""

import sys

from sb_resizegan.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["train-enhance", *sys.argv[1:]]))
