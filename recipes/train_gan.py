#!/usr/bin/env python3
"""Train a generator of speech windows as a Wasserstein GAN.

    python recipes/train_gan.py hparams/resize.yaml
    python recipes/train_gan.py hparams/resize.yaml --help
    torchrun --nproc_per_node=4 recipes/train_gan.py hparams/resize.yaml

The same as the command ``sb-resizegan train-gan``, whose --help has all options.
"""

import sys

from sb_resizegan.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["train-gan", *sys.argv[1:]]))
