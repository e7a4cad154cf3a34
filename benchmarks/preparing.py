"""What preparing a corpus costs: listing its files, and decoding them with several processes.

    PYTHONPATH=. python benchmarks/preparing.py [--files 10000 100000] [--minutes 30] [--processes 1 2 4]

Listed are empty files in folders of 40, as for `Recordings`: names, sizes and times, and which shards there
are to be; the memory is what the process's peak grows by. Decoded are flac files of 10 s at 16 kHz, of noise
that comes and goes, by processes that want the same corpus at once. Processor time is of all processes
together, with 5 to 10 s a process for its start; on a machine with other work, the time an hour of sound
takes says little.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

RATE, SECONDS = 16000, 10


def peak_bytes():
    """Highest resident memory of this process so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def empty_files(folder, count):
    """A tree of files."""
    for number in range(count):
        path = folder / f"speaker{number // 40:06}" / f"utterance{number:08}.flac"
        if number % 40 == 0:
            path.parent.mkdir()
        path.touch()


def listing(folder, results):
    """Lists a tree; processor seconds and bytes."""
    from sb_resizegan.dataio.prepare.sources import find_recordings
    from sb_resizegan.dataio.shard_plans import make_plan

    before, start = peak_bytes(), time.process_time()
    plan = make_plan(find_recordings(folder), folder / "cache", "invented", "as for the benchmark")
    results.put((time.process_time() - start, peak_bytes() - before, len(plan.stems)))


def sounds(folder, minutes):
    """Flac files of bursts of noise."""
    random = np.random.default_rng(0)
    time_axis = np.arange(RATE * SECONDS) / RATE
    for number in range(60 * minutes // SECONDS):
        bursts = np.sin(2 * np.pi * (0.3 * time_axis + random.random())) > -0.3
        noise = 0.1 * bursts * random.standard_normal(len(time_axis))
        soundfile.write(folder / f"{number:05}.flac", noise, RATE)


def preparing(folder, cache):
    """Decodes what no other process has decoded."""
    from sb_resizegan.dataio import shard_plans
    from sb_resizegan.dataio.recordings import Recordings

    shards = shard_plans.in_shards
    # As many shards as a corpus of a thousand hours has for each process.
    shard_plans.in_shards = lambda files, names: shards(files, names, usual=8)
    Recordings(folder, cache_folder=cache)


def main(arguments=None):
    """Prints two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--minutes", type=int, default=30, help="of sound that is decoded")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    arguments = parser.parse_args(arguments)
    spawn = multiprocessing.get_context("spawn")
    print("| files | shards | s of processor time | MB |\n| ---: | ---: | ---: | ---: |")
    for count in arguments.files:
        with tempfile.TemporaryDirectory() as folder:
            empty_files(Path(folder), count)
            results = spawn.Queue()
            process = spawn.Process(target=listing, args=(Path(folder), results))
            process.start()
            seconds, size, shards = results.get()
            process.join()
            print(f"| {count} | {shards} | {seconds:.1f} | {size / 1e6:.0f} |", flush=True)
    print(
        "\n| processes | s of processor time an hour of sound | s an hour of sound |\n| ---: | ---: | ---: |"
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "speech").mkdir()
        sounds(Path(folder) / "speech", arguments.minutes)
        for count in arguments.processes:
            cache = Path(folder) / f"cache{count}"
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            work = [
                spawn.Process(target=preparing, args=(Path(folder) / "speech", cache)) for _ in range(count)
            ]
            for process in work:
                process.start()
            for process in work:
                process.join()
                if process.exitcode:
                    raise SystemExit(f"a process ended with {process.exitcode}")
            wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            hours = arguments.minutes / 60
            print(f"| {count} | {used / hours:.0f} | {wall / hours:.0f} |", flush=True)


if __name__ == "__main__":
    main()
