"""How fast noisy speech is mixed: milliseconds for a batch, in one process.

    python benchmarks/mixing.py                                       # the default corpus, no recorded noise
    python benchmarks/mixing.py --clean PATH --noise PATH [--rir PATH]

Recordings are decoded by the first run and kept for the next ones. Times are of the processor, of one thread.
"""

import argparse
import time

import numpy as np

from sb_resizegan.augment.mixing import NoisyMixtures
from sb_resizegan.dataio.recordings import Recordings


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clean", default="prompts:en", help="folder, csv list, file, or prompts:LANGUAGE")
    parser.add_argument("--noise", help="folder, csv list or file of noise")
    parser.add_argument("--rir", help="folder, csv list or file of room impulse responses")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a mixture")
    parser.add_argument("--batches", type=int, default=100, help="timed ones")
    parser.add_argument("--cache_folder", help="where decoded recordings are kept")
    return parser.parse_args()


def load(source, arguments, **options):
    if source is None:
        return None
    start = time.perf_counter()
    recordings = Recordings(source, cache_folder=arguments.cache_folder, **options)
    seconds = time.perf_counter() - start
    print(
        f"{source}: {len(recordings)} recordings, {recordings.seconds / 3600:.2f} h, ready in {seconds:.1f} s"
    )
    return recordings


def main():
    arguments = parse_arguments()
    mixtures = NoisyMixtures(
        load(arguments.clean, arguments),
        load(arguments.noise, arguments),
        load(arguments.rir, arguments, impulse_responses=True),
        segment_samples=round(arguments.seconds * 16000),
    )
    times = []
    for n in range(10 + arguments.batches):
        start = time.process_time()
        mixtures.batch(n, arguments.batch_size, seed=0)
        times.append(time.process_time() - start)
    times = 1e3 * np.array(times[10:])
    audio = arguments.batch_size * arguments.seconds
    print(
        f"{arguments.batch_size} mixtures of {arguments.seconds:g} s: median {np.median(times):.1f} ms, "
        f"fastest {times.min():.1f} ms, slowest {times.max():.1f} ms: {np.median(times) / audio:.2f} ms for "
        "a second of sound"
    )


if __name__ == "__main__":
    main()
