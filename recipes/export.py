#!/usr/bin/env python3
"""Turn a training's checkpoint into a folder that the SpeechBrain interface loads.

    python recipes/export.py results/nearest/1986
    python recipes/export.py results/nearest/1986 --best frechet_log_mel -o my_generator

The first exports the newest checkpoint to results/nearest/1986/export, which a training does by itself.
"""

import argparse
import sys

from sb_resizegan.export import export_generator
from sb_resizegan.inference import ModelSourceError


def main():
    """Parses the command line and exports."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run_folder", help="output folder of recipes/train_gan.py")
    parser.add_argument("-o", "--output", help="folder to write (default: RUN_FOLDER/export)")
    parser.add_argument("--checkpoint", help="a checkpoint folder (default: the newest)")
    parser.add_argument("--best", metavar="FIGURE", help="take the checkpoint in which this figure is lowest")
    args = parser.parse_args()
    try:
        folder = export_generator(args.run_folder, args.output, args.checkpoint, args.best)
    except (ModelSourceError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"exported to {folder}")
    print(f'load it: SpeechWindowGenerator.from_hparams(source="{folder}")')


if __name__ == "__main__":
    main()
