"""Simulate impulse responses of rooms, to train enhancers with reverberation.

    sb-resizegan rooms -o ROOMS --count 3000                 # about five minutes of processor time
    sb-resizegan rooms -o ROOMS --count 4000                 # a thousand more
    sb-resizegan rooms -o WATCHED --count 100 --seed 1       # others, to watch a training with

Then: sb-resizegan train-enhance enhance.yaml --clean SPEECH --noise NOISE --rir ROOMS/rooms.csv

Rectangular rooms of 2.5 to 10 by 2 to 8 by 2.2 to 4 m, reverberation times of 0.1 to 1.2 s, voices 0.3 to 4 m
from the microphone. ROOMS holds a FLAC file for each, at 16 kHz, and rooms.csv with their figures. What is
there already is kept. The extra [rooms] brings pyroomacoustics, which takes 0.1 s of processor time a room.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sb_resizegan.commands.parser import CommandParser, check_least, complain


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = CommandParser("rooms", __doc__)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="ROOMS", help="folder to write to"
    )
    parser.add_argument("--count", type=int, default=3000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1986, help="of the collection (default: %(default)s)")
    options = parser.parse_args(arguments)
    check_least(parser, options, {"count": 1, "seed": 0})
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulates the rooms that are not there yet; returns the exit status."""
    options = parse(arguments)

    import csv

    import soundfile
    from tqdm import tqdm

    from sb_resizegan.augment.room_simulation import SAMPLE_RATE, draw_room, simulate_response
    from sb_resizegan.utils.files import replacing

    folder, rows, made = options.output, [], 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in tqdm(range(options.count), unit="room", disable=None):
            room = draw_room(options.seed, number)
            path = folder / f"room_{options.seed}_{number:05d}.flac"
            if not path.is_file():
                with replacing(path) as temporary:
                    soundfile.write(temporary, simulate_response(room), SAMPLE_RATE, "PCM_16", format="FLAC")
                made += 1
            seconds = soundfile.info(path).duration
            rows.append({"path": path.name, "seconds": f"{seconds:.3f}", **room.facts()})
        with (
            replacing(folder / "rooms.csv") as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as stream,
        ):
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    except (OSError, soundfile.LibsndfileError) as error:
        return complain(error)
    print(f"{made} rooms simulated, {len(rows) - made} were there already: {folder / 'rooms.csv'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
