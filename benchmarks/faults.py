"""The campaign of faults: what is broken, killed, crowded or hostile, thrown at the whole product.

    python benchmarks/faults.py --scale 0.1                    # a tenth of every part
    python benchmarks/faults.py --parts sounds models          # two parts in full
    python benchmarks/faults.py --write docs/reliability.md    # all of it; the table goes into the document

Every trial runs in a process of its own. To reach: nothing crashes, hangs over 20 s, takes more than 1 GiB
beside what importing takes, or is silently wrong; and no code of a stranger's model is run. A trial that
fails is printed with what repeats it (part, seed and number). The exit status is 0 if all survived.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from benchmarks.fault_parts.crowds import crowds
from benchmarks.fault_parts.disks import disks
from benchmarks.fault_parts.kills import kills
from benchmarks.fault_parts.models import models, strangers
from benchmarks.fault_parts.settings import settings
from benchmarks.fault_parts.sounds import sounds
from benchmarks.fault_parts.trials import Tally

# The function of each part, and how often it is tried: of the kills, each of five commands so often.
PARTS = {
    "sounds": (sounds, 1000),
    "settings": (settings, 200),
    "models": (models, 200),
    "strangers": (strangers, 100),
    "kills": (kills, 50),
    "disks": (disks, 200),
    "crowds": (crowds, 40),
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
    parser.add_argument("--write", type=Path, metavar="MD", help="document whose table is replaced")
    return parser.parse_args()


def run(parts: list[str], scale: float, seed: int) -> list[Tally]:
    """The parts, one after the other; each is reported when it is done."""
    torch.set_num_threads(1)  # forked processes inherit no threads
    tallies = []
    for name in parts:
        part, count = PARTS[name]
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            tally = part(max(1, round(scale * count)), seed, Path(folder))
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
    tallies = run(arguments.parts, arguments.scale, arguments.seed)
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
