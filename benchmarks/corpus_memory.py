"""Memory that a corpus takes in a process besides the samples, which are mapped and the system's to keep.

    PYTHONPATH=. python benchmarks/corpus_memory.py [--hours 100 1000] [--seconds 10] [--reads 5000]

The corpus is made up: shards as `Recordings` keeps them, of sparse files and an index of invented names, with
three stretches of activity in each recording; 99 of 100 recordings are split off to train on. What is counted
is anonymous memory (`Anonymous` of Linux's `smaps_rollup`): pages of mapped files are shared by all
processes, and dropped when others need the room.
"""

import argparse
import gc
import json
import multiprocessing
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np

from sb_resizegan.dataio import recordings as recordings_module
from sb_resizegan.dataio.joined_index import joined_index
from sb_resizegan.dataio.sample_shards import USUAL
from sb_resizegan.utils.mapped_arrays import MappedArrays, write_arrays

RATE = 16000
STRETCHES = 3


def anonymous_bytes():
    """Memory of this process that is no page of a file."""
    gc.collect()
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))


def invented_shards(folder, files, seconds):
    """Paths of the samples and indices of shards."""
    for first in range(0, files, USUAL):
        count = min(USUAL, files - first)
        path = folder / f"{first}.i16"
        with open(path, "wb") as stream:
            stream.truncate(2 * RATE * seconds * count)
        edges = np.linspace(0, RATE * seconds, 2 * STRETCHES, dtype=np.int64).reshape(-1, 2)
        names = [f"speaker{n // 40:05}/chapter/utterance{n:08}.flac" for n in range(first, first + count)]
        folders = sorted({name.split("/")[0] for name in names})
        yield (
            path,
            {
                "lengths": np.full(count, RATE * seconds),
                "scales": np.ones(count, dtype=np.float32),
                "rates": np.full(count, RATE),
                "levels": np.ones(count),
                "groups": np.array([folders.index(name.split("/")[0]) for name in names]),
                "folders": np.array(json.dumps(folders)),
                "regions": np.tile(edges, (count, 1)),
                "region_owners": np.repeat(np.arange(count), STRETCHES),
                "names": np.array(json.dumps(names)),
                "skipped": np.array("{}"),
            },
        )


def invent(folder, files, seconds):
    """Shards and their index in a folder; the paths of the samples, and how many."""
    paths, found = zip(*invented_shards(folder, files, seconds), strict=True)
    write_arrays(folder / "invented.index", joined_index(found, "invented"))
    return list(paths), len(paths)


def taken(paths, index, reads):
    """Bytes after loading, and after reading stretches of 4 s."""
    before = anonymous_bytes()
    cached = paths, MappedArrays(index), True
    with mock.patch.object(recordings_module, "load_or_build", return_value=cached):
        recordings = recordings_module.Recordings("invented").split(0.01)[0]
    loaded = anonymous_bytes() - before
    random = np.random.default_rng(0)
    for _ in range(reads):
        recordings.read(*recordings.locate(random.random()), 4 * RATE)
    return loaded, anonymous_bytes() - before


def main(arguments=None):
    """Prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--seconds", type=int, default=10, help="of a recording")
    parser.add_argument("--reads", type=int, default=5000, help="stretches of 4 s, at random")
    arguments = parser.parse_args(arguments)
    print("| hours | files | shards | MB after loading | MB after reading | bytes a file |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for hours in arguments.hours:
        files = hours * 3600 // arguments.seconds
        with tempfile.TemporaryDirectory() as folder:
            paths, shards = invent(Path(folder), files, arguments.seconds)
            # In a process of its own, whose heap has no holes that something could be put into.
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                loaded, read = pool.apply(taken, (paths, Path(folder) / "invented.index", arguments.reads))
        megabytes = [f"{figure / 1e6:.0f}" for figure in (loaded, read)]
        print(
            f"| {hours} | {files} | {shards} | {' | '.join(megabytes)} | {loaded / files:.0f} |", flush=True
        )


if __name__ == "__main__":
    main()
