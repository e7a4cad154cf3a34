"""The campaign of faults: what is broken, killed, crowded or hostile, thrown at the whole product.

    python benchmarks/faults.py --scale 0.1                  # a tenth of every part
    python benchmarks/faults.py --parts sounds models        # two parts in full
    python benchmarks/faults.py --journal faults.jsonl       # all of it; again: goes on where it was ended
    python benchmarks/faults.py --journal faults.jsonl --write docs/reliability.md     # and the table there

Every trial runs in a process of its own, with random numbers of its own. The time that it takes is counted
without what it waits for a processor, so that a busy machine makes no trial fail. To reach: nothing crashes,
hangs over 20 s, takes more than 1 GiB beside what importing takes, or is silently wrong; and no code of a
stranger's model is run. A trial that fails is printed with what repeats it (part, seed and number). The exit
status is 0 if all survived.
"""

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from benchmarks.fault_parts.crowds import crowds
from benchmarks.fault_parts.disks import disks
from benchmarks.fault_parts.kills import kills
from benchmarks.fault_parts.models import models, strangers
from benchmarks.fault_parts.packed import packed
from benchmarks.fault_parts.settings import settings
from benchmarks.fault_parts.sounds import sounds
from benchmarks.fault_parts.tally import Journal, Tally


class Part(NamedTuple):
    """A part of the campaign."""

    run: Callable[[Tally, int, Path], None]
    count: int
    """How often it is tried: of the kills, each of five commands so often."""

    title: str


# Cheap ones first.
PARTS = {
    "strangers": Part(strangers, 100, "models of strangers"),
    "models": Part(models, 200, "damaged exports and weights"),
    "sounds": Part(sounds, 1000, "broken sound files, through seven readers"),
    "packed": Part(packed, 40, "1 MB of sound packed as tightly as it may be, through five readers"),
    "settings": Part(settings, 200, "mutated yamls of both trainings"),
    "crowds": Part(crowds, 40, "two and three at once: enhance, cache, export, train-gan"),
    "disks": Part(disks, 200, "full disks: enhance, export, cache, train-gan"),
    "kills": Part(kills, 50, "kills of enhance, export, cache, train-gan, train-enhance"),
}
HEAD = (
    "| part | tried | survived | what became of them | longest, s | largest, MB |\n"
    "| --- | ---: | ---: | --- | ---: | ---: |"
)
BEGIN, END = "<!-- the last run -->", "<!-- its end -->"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--scale", type=float, default=1.0, help="what to multiply the counts with")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--journal", type=Path, metavar="JSONL", help="keeps what was tried; what is in it is not tried again"
    )
    parser.add_argument("--minutes", type=float, default=math.inf, help="after them no trial begins")
    parser.add_argument("--write", type=Path, metavar="MD", help="document whose table is replaced")
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> list[Tally]:
    """The parts, one after the other; each is reported when it is done."""
    torch.set_num_threads(1)  # forked processes inherit no threads
    journal = Journal(arguments.journal, arguments.seed)
    until = time.monotonic() + 60 * arguments.minutes
    tallies = []
    for name in arguments.parts:
        part = PARTS[name]
        tally = Tally(part.title, arguments.seed, journal, until)
        start = time.monotonic()
        if start < until:
            with tempfile.TemporaryDirectory(prefix="faults-") as folder:
                part.run(tally, max(1, round(arguments.scale * part.count)), Path(folder))
        tallies.append(tally)
        print(f"{tally.row()} {time.monotonic() - start:.0f} s", *tally.faults, sep="\n  ", flush=True)
    return tallies


def report(tallies: list[Tally], command: str) -> str:
    """The table and the faults, in Markdown."""
    faults = [f"- {fault}" for tally in tallies for fault in tally.faults]
    lines = [HEAD, *(tally.row() for tally in tallies), "", f"(`{command}`)", ""]
    lines += [f"Not survived: {len(faults)}.", *([""] if faults else []), *faults]
    return "\n".join(lines)


def main() -> int:
    arguments = parse_arguments()
    tallies = run(arguments)
    words = [f"--{name} {value}" for name, value in (("scale", arguments.scale), ("seed", arguments.seed))]
    if arguments.parts != list(PARTS):
        words.insert(0, f"--parts {' '.join(arguments.parts)}")
    text = report(tallies, f"python benchmarks/faults.py {' '.join(words)}")
    print(f"\n{text}")
    if arguments.write:
        document = arguments.write.read_text(encoding="utf-8")
        before, rest = document.split(BEGIN)
        arguments.write.write_text(
            f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}", encoding="utf-8"
        )
    return 1 if any(tally.faults for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
