#!/usr/bin/env python3
"""Make one self-contained page of finished trainings: spectrograms, players, curves, measures.

    python recipes/report.py results/nearest/1986
    python recipes/report.py results/transpose/1986 results/nearest/1986 -o both.html --figure windows.png

The page of one run goes to its own folder. --figure draws real and generated windows as a picture, too.
"""

import argparse
import sys
from pathlib import Path

from sb_resizegan.report import runs_figure, write_report


def main():
    """Parses the command line and writes the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="output folder of recipes/train_gan.py")
    parser.add_argument(
        "-o", "--output", help="file to write (default: RUN/report.html; report.html for several)"
    )
    parser.add_argument("--title", default="Windows of speech", help="heading (default: %(default)s)")
    parser.add_argument("--figure", metavar="PNG", help="draw real and generated windows of all runs as well")
    args = parser.parse_args()
    output = args.output or (Path(args.runs[0]) / "report.html" if len(args.runs) == 1 else "report.html")
    try:
        if args.figure:
            runs_figure(args.runs, args.figure)
            print(f"drawn in {args.figure}")
        path = write_report(args.runs, output, args.title)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    print(f"written to {path} ({path.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
