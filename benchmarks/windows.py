"""How fast the training stream hands out windows of the default corpus.

    python benchmarks/windows.py
    python benchmarks/windows.py --step_ms 60      # beside a training step of 60 ms

An epoch of each setting goes before the timed one. Workers start anew in each epoch, and that counts.
"""

import argparse
import tempfile
import time

from sb_resizegan.dataio.prepare.default_corpus import LANGUAGES, prepare_default_corpus
from sb_resizegan.dataio.prepare.speech import prepare_speech
from sb_resizegan.dataio.speech_windows import SpeechWindows
from sb_resizegan.training.loader import WindowStream


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--language", default="en", choices=list(LANGUAGES))
    parser.add_argument("--data_folder", help="any folder of speech instead of the default corpus")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--window_samples", type=int, default=2048)
    parser.add_argument("--batches", type=int, default=1000, help="timed batches for each setting")
    parser.add_argument(
        "--step_ms", type=float, help="what a training step on one batch takes, for comparison"
    )
    return parser.parse_args()


def seconds_per_batch(windows, arguments, num_workers):
    stream = WindowStream(windows, arguments.batch_size, arguments.batches, seed=0, num_workers=num_workers)
    for _ in stream:
        pass
    start = time.perf_counter()
    for _ in stream:
        pass
    return (time.perf_counter() - start) / arguments.batches


def main():
    arguments = parse_arguments()
    data_folder = arguments.data_folder or prepare_default_corpus(arguments.language)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        prepare_speech(data_folder, folder)
        prepared = time.perf_counter()
        windows = SpeechWindows(f"{folder}/train.json", arguments.window_samples, data_root=data_folder)
        loaded = time.perf_counter()
        print(f"manifest {prepared - start:.2f} s, loading and filtering {loaded - prepared:.2f} s")
        print(
            f"{'workers':>7} {'ms a batch':>10} {'windows/s':>10}"
            + " part of a step" * bool(arguments.step_ms)
        )
        for num_workers in (0, 2):
            seconds = seconds_per_batch(windows, arguments, num_workers)
            line = f"{num_workers:>7} {1e3 * seconds:>10.3f} {arguments.batch_size / seconds:>10.0f}"
            if arguments.step_ms:
                line += f" {1e3 * seconds / arguments.step_ms:>14.2%}"
            print(line)


if __name__ == "__main__":
    main()
