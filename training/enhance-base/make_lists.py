#!/usr/bin/env python3
"""Splits the lists of speech, noise and rooms into those for training and those for watching.

    python training/enhance-base/make_lists.py ../shared/data results/lists

Held back for watching are whole voices of the sources that name theirs, a twenty-fifth of the files of
`mssnsd_clean`, a twelfth of the noises and a sixth of the room responses, by a hash of their names: the
same ones every time, whatever else the lists hold.
"""

import csv
import hashlib
import os
import sys
from pathlib import Path

# Share of the voices that is held back; sources that are one voice are not among them.
HELD_BACK = {
    "vctk_autovc": 0.5,
    "intent_commands": 0.15,
    "librispeech": 0.12,
    "librispeech_b": 0.12,
    "reading_survey": 0.2,
    "zero_ad": 0.5,
}
ONE_IN = {"speech": 25, "noise": 12, "rir": 6}


def number(name):
    """A number that depends on a name alone."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)


def held_back_voices(rows):
    """Speakers of which nothing is trained on."""
    chosen = set()
    for source, share in HELD_BACK.items():
        voices = sorted({row["speaker"] for row in rows if row["source"] == source}, key=number)
        chosen.update((source, voice) for voice in voices[: max(1, round(share * len(voices)))])
    return chosen


def main(data, output):
    """Writes six lists."""
    output.mkdir(parents=True, exist_ok=True)
    for kind in ONE_IN:
        with open(data / f"{kind}.csv", newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        voices = held_back_voices(rows) if kind == "speech" else set()
        parts = {"train": [], "watch": []}
        for row in rows:
            if kind == "speech":
                watched = (row["source"], row["speaker"]) in voices
                watched |= row["source"] == "mssnsd_clean" and number(row["path"]) % ONE_IN[kind] == 0
                # A label that two sources share may be one person.
                same = row["speaker"].startswith("spk") and row["speaker"] in {name for _, name in voices}
                if same and not watched:
                    continue
            else:
                watched = number(row["path"]) % ONE_IN[kind] == 0
            parts["watch" if watched else "train"].append(
                {**row, "path": os.path.relpath(data / row["path"], output)}
            )
        for part, kept in parts.items():
            with open(output / f"{kind}_{part}.csv", "w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, list(rows[0]))
                writer.writeheader()
                writer.writerows(kept)
            print(
                f"{kind}_{part}: {len(kept)} files, {sum(float(row['seconds']) for row in kept) / 60:.1f} min"
            )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
