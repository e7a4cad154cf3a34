"""Measure upsampling artefacts of any recordings or of any generator.

    sb-resizegan measure FOLDER_OF_WAVS --reference REAL_SPEECH                    # beside real speech
    sb-resizegan measure results/nearest/1986/export --reference REAL_SPEECH --csv measures.csv
    sb-resizegan measure results/nearest/1986/samples/epoch_0007.wav               # without a reference

A generator brings its upsampling factors and its sampling rate, and the reference is low-passed as its
training data were. Sets are brought to the same RMS before they are compared, unless --keep_level is given.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sb_resizegan.commands.parser import CommandParser, complain

RMS = 0.1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = CommandParser("measure", __doc__)
    parser.add_argument(
        "source", metavar="PATH_OR_MODEL", help="audio file, folder of them, or exported generator"
    )
    parser.add_argument("--reference", metavar="PATH", help="real speech: audio file or folder of them")
    parser.add_argument("--train", metavar="PATH", help="training data: look for copies (needs --reference)")
    parser.add_argument(
        "--factors",
        type=int,
        nargs="+",
        help="upsampling factors, first stage first (default: the generator's; 4 4 4 4)",
    )
    parser.add_argument(
        "--lowpass_hz", type=float, help="low-pass for the reference (default: the generator's; none)"
    )
    parser.add_argument(
        "--cutoff_hz",
        type=float,
        help="energy above it is out of band (default: 1.2 times the low-pass; 1800)",
    )
    parser.add_argument("--sample_rate", type=int, help="in Hz (default: the generator's; 16000)")
    parser.add_argument(
        "--window_samples", type=int, default=2048, help="into which recordings are cut (%(default)s)"
    )
    parser.add_argument("--num_windows", type=int, default=1024, help="how many are measured (%(default)s)")
    parser.add_argument("--keep_level", action="store_true", help="compare at the levels that the sets have")
    parser.add_argument("--csv", metavar="OUT", help="also write the measures to this file")
    parser.add_argument("--seed", type=int, default=0, help="of windows and latents (%(default)s)")
    parser.add_argument("--trust", action="store_true", help="run whatever the model's yaml names")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures what the command line names and prints a table."""
    options = parse(arguments)

    from sb_resizegan.report.measures_csv import write_measures

    try:
        row, real = measure(options)
        if options.csv:
            write_measures([{"set": options.source, **row}], options.csv)
    except (OSError, ValueError) as error:
        return complain(error)
    print_table(row, real)
    if options.csv:
        print(f"written to {options.csv}")
    return 0


def measure(args: argparse.Namespace) -> tuple[dict, dict]:
    """Measures of the source, and of the reference where there is one, by name."""
    from sb_resizegan.metrics.summary import measure_artefacts, measure_windows

    if args.train and not args.reference:
        raise ValueError("--train: needs --reference, real speech that was not trained on, to compare with")
    windows, factors, sample_rate, lowpass_hz = load_source(args)
    cutoff_hz = args.cutoff_hz
    if cutoff_hz is None:
        cutoff_hz = 1.2 * lowpass_hz if lowpass_hz else 1800.0
    if not args.reference:
        return measure_artefacts(windows, factors, sample_rate, cutoff_hz), {}
    shared = {"window_samples": windows.shape[1], "sample_rate": sample_rate, "lowpass_hz": lowpass_hz}
    # Twice as many, so that halves of it are as large as what is measured.
    reference = load_folder(args.reference, 2 * len(windows), seed=args.seed + 1, **shared)
    train = load_folder(args.train, 8 * len(windows), seed=args.seed, **shared) if args.train else None
    if not args.keep_level:
        windows, reference = (x * (RMS / x.square().mean().sqrt()) for x in (windows, reference))
    row = measure_windows(windows, reference, factors, sample_rate, cutoff_hz, train)
    return row, measure_artefacts(reference, factors, sample_rate, cutoff_hz)


def load_source(args: argparse.Namespace) -> tuple:
    """Windows ``(batch, time)`` to measure, upsampling factors, sampling rate and low-pass in Hz."""
    if not (Path(args.source) / "hyperparams.yaml").is_file():
        rate = 16000 if args.sample_rate is None else args.sample_rate
        windows = load_folder(args.source, args.num_windows, args.window_samples, rate, None, args.seed)
        return windows, args.factors or [4, 4, 4, 4], rate, args.lowpass_hz
    # Loading SpeechBrain's interfaces takes seconds, which recordings need not wait for.
    from sb_resizegan.inference import SpeechWindowGenerator

    model = SpeechWindowGenerator.from_hparams(source=args.source, trust=args.trust)
    if args.sample_rate not in (None, model.sample_rate):
        raise ValueError(
            f"--sample_rate: the generator's is {model.sample_rate} Hz, but got {args.sample_rate}"
        )
    windows = model.generate(args.num_windows, seed=args.seed).cpu()
    print(f"{args.source}: {len(windows)} windows generated with seed {args.seed}")
    lowpass_hz = model.lowpass_hz if args.lowpass_hz is None else args.lowpass_hz
    return windows, args.factors or model.factors, model.sample_rate, lowpass_hz


def load_folder(
    path: str, num_windows: int, window_samples: int, sample_rate: int, lowpass_hz: float | None, seed: int
) -> Any:
    """Windows of recordings, ``(batch, time)``; prints what was used."""
    from sb_resizegan.dataio.cut_windows import cut_windows

    cut = cut_windows(path, num_windows, window_samples, sample_rate, lowpass_hz, seed)
    print(f"{path}: {len(cut.windows)} windows of {cut.files} files")
    for rate, count in sorted(cut.resampled.items()):
        print(f"  note: {count} files resampled from {rate} Hz")
    for file, reason in list(cut.skipped.items())[:10]:
        print(f"  skipped: {file}: {reason}")
    if len(cut.skipped) > 10:
        print(f"  skipped: {len(cut.skipped) - 10} more")
    if len(cut.windows) < 256:
        print(f"  note: fewer than 256 windows; measures of {len(cut.windows)} vary by several dB")
    return cut.windows


def print_table(row: dict[str, float], real: dict[str, float]) -> None:
    """Prints measures, beside those of the reference."""
    from sb_resizegan.metrics.measures import readable, reference_column

    beside = {name: real.get(name, row.get(reference_column(name))) for name in row}
    shown = [name for name in row if not name.endswith(("_real_db", "_floor"))]
    width = max(len(readable(name)) for name in shown)
    print(f"\n{'measure':{width}}  {'this':>10}" + (f"  {'reference':>10}" if real else ""))
    for name in shown:
        line = f"{readable(name):{width}}  {row[name]:10.2f}"
        if real and beside[name] is not None:
            line += f"  {beside[name]:10.2f}"
        print(line)
