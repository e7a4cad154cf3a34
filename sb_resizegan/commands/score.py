"""Score a folder of degraded or enhanced speech against a folder of clean speech.

    sb-resizegan score REFERENCE_DIR DEGRADED_DIR                   # PESQ-WB, STOI, ESTOI, SI-SDR
    sb-resizegan score REFERENCE_DIR DEGRADED_DIR --device cuda     # PESQ on the GPU
    sb-resizegan score REFERENCE_DIR DEGRADED_DIR --official --csv scores.csv
    torchrun --nproc_per_node=4 -m sb_resizegan score REFERENCE_DIR DEGRADED_DIR   # take pairs as they go
    sb-resizegan score REFERENCE_DIR ENHANCED_DIR --noisy NOISY_DIR --scores deletion wer

Files are matched by their path without suffix. Files without a partner, unreadable files and files at rates
other than 16 kHz are named and left out; pairs of different lengths are named and scored over the shorter
one. With ``--official``, the ``pesq`` package scores every pair too; with ``--dnsmos``, ``speechmos`` rates
the degraded files alone. More by name, --scores: deletion (speech taken away and noise left, needs --noisy),
plcmos, distillmos, wer (Whisper tiny.en), speaker; the extra [scores] brings what they need, weights and all.

The exit status is 0 if every file was scored, 1 if any was left out or refused, 2 if the call was wrong.
"""

import argparse
import csv
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sb_resizegan.commands.parser import CommandParser, check_device, check_least, check_scores


def parse(arguments: Sequence[str] | None) -> tuple[CommandParser, argparse.Namespace]:
    """Reads the command line."""
    parser = CommandParser("score", __doc__)
    parser.add_argument("reference", metavar="REFERENCE_DIR", help="folder, or tars, of clean speech")
    parser.add_argument("degraded", metavar="DEGRADED_DIR", help="the same of speech to be scored")
    parser.add_argument("--device", default="cpu", help="device of this package's PESQ (default: cpu)")
    parser.add_argument("--official", action="store_true", help="score with the pesq package too")
    parser.add_argument("--dnsmos", action="store_true", help="score with DNSMOS P.835 too")
    parser.add_argument("--scores", nargs="+", default=[], metavar="SCORE", help="more scores, by name")
    parser.add_argument("--noisy", metavar="DIR", help="folder of what was enhanced")
    parser.add_argument(
        "--transcripts",
        type=Path,
        metavar="CSV",
        help="what was said, columns id (name of a file) and transcript",
    )
    parser.add_argument("--csv", type=Path, metavar="OUT", help="write the scores of each file here")
    parser.add_argument("--resample", action="store_true", help="resample files at other rates to 16 kHz")
    parser.add_argument("--batch_size", type=int, default=16, help="most pairs in a batch (default: 16)")
    parser.add_argument(
        "--jobs",
        type=int,
        help="processes; 0: none but this one (default: one a spare core; under torchrun, its own do all)",
    )
    options = parser.parse_args(arguments)
    for name in ("reference", "degraded", "noisy"):
        if getattr(options, name) is not None:
            setattr(options, name, folder_of(parser, getattr(options, name)))
    if options.csv and options.csv.is_dir():
        parser.error(f"--csv: {options.csv} is a folder")
    if options.csv and not options.csv.resolve().parent.is_dir():
        parser.error(f"--csv: {options.csv.parent}: no such folder")
    check_least(parser, options, {"batch_size": 1, "jobs": 0})
    return parser, options


def folder_of(parser: CommandParser, source: str) -> Path:
    """A folder itself, or one with what is in tars."""
    from sb_resizegan.dataio.prepare.tars import is_tar, unpacked
    from sb_resizegan.utils.extras import MissingExtraError

    try:
        folder = unpacked(source) if is_tar(source) else Path(source)
    except (ValueError, FileNotFoundError, MissingExtraError) as error:
        parser.error(str(error))
    if not folder.is_dir():
        parser.error(f"{source}: no such folder")
    return folder


def find(options: argparse.Namespace) -> tuple[Any, Any, Any]:
    """Which pairs there are, what was enhanced, and what was said."""
    from sb_resizegan.evaluation.enhanced_folder import read_transcripts
    from sb_resizegan.evaluation.folder_scores import noisy_versions
    from sb_resizegan.evaluation.matched_folders import MatchedFolders

    matched = MatchedFolders(options.reference, options.degraded)
    noisy = noisy_versions(matched, options.noisy) if options.noisy else None
    transcripts = None
    if options.transcripts:
        transcripts = read_transcripts(options.transcripts, [matched[n][0] for n in range(len(matched))])
    return matched, noisy, transcripts


def score_parts(
    options: argparse.Namespace,
    scoring: Any,
    together: Any,
    matched: Any,
    noisy: Any,
    transcripts: Any,
    bar: Any,
) -> tuple[list, list]:
    """Scores pairs: all of them alone, or the next few of a length whenever this process has time."""
    from sb_resizegan.evaluation.folder_scores import inspected, score_pairs

    parts = matched.alike(max(1, len(matched)) if together.world_size == 1 else 4 * options.batch_size)
    done, problems = [], []
    for turn in together.turns(len(parts)):
        numbers = {matched[int(number)][0]: int(number) for number in parts[turn]}
        pairs, lines = inspected(matched, parts[turn], [], options.resample)
        for pair in pairs:
            pair.noisy = noisy.find(pair.name) if noisy else None
            pair.transcript = transcripts[numbers[pair.name]] if transcripts else None
        score_pairs(pairs, scoring, bar.update)
        bar.update(2 * len(lines))
        done += pairs
        problems += lines
    return done, problems


def print_table(pairs: list, columns: list[str]) -> None:
    """Mean and range of every figure, over the pairs that have it."""
    from sb_resizegan.metrics.measures import legend

    print(f"\n{'':52} {'files':>6} {'mean':>8} {'lowest':>8} {'highest':>8}")
    for name in columns:
        values = [pair.scores[name] for pair in pairs if not math.isnan(pair.scores[name])]
        cells = [sum(values) / len(values), min(values), max(values)] if values else []
        figures = " ".join(f"{value:8.3f}" for value in cells)
        print(f"{legend(name):52} {len(values):6} {figures}")
    both = [
        abs(pair.scores["pesq_wb"] - pair.scores["pesq_wb_official"])
        for pair in pairs
        if "pesq_wb_official" in columns
    ]
    both = [difference for difference in both if not math.isnan(difference)]
    if both:
        print(f"Largest difference between the two PESQ figures: {max(both):.5f}")


def write_csv(path: Path, pairs: list, columns: list[str]) -> None:
    """One row a pair; whoever looks sees the whole table or none."""
    from sb_resizegan.utils.files import replacing

    # Names of files need not be UTF-8: their bytes are written as they are.
    with (
        replacing(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(["file", "seconds", *columns, "notes"])
        for pair in sorted(pairs, key=lambda pair: pair.name):
            figures = [pair.scores[name] for name in columns]
            cells = ["" if math.isnan(figure) else f"{figure:.6f}" for figure in figures]
            writer.writerow([pair.name, f"{pair.seconds:.3f}", *cells, "; ".join(pair.notes)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit status."""
    parser, options = parse(arguments)

    import torch
    from tqdm import tqdm

    from sb_resizegan.evaluation.scoring_options import ScoringOptions, columns_of
    from sb_resizegan.utils.processes import Together

    check_device(parser, options.device)
    scores = ["si_sdr", "intelligibility"]
    scores += ["official_pesq"] * options.official + ["dnsmos"] * options.dnsmos
    scores = list(dict.fromkeys([*scores, *options.scores]))
    check_scores(parser, scores)
    together = Together()
    jobs = options.jobs if together.world_size == 1 or options.jobs is not None else 0
    scoring = ScoringOptions(tuple(scores), options.device, options.batch_size, jobs)
    torch.set_flush_denormal(True)
    if torch.device(options.device).type == "cpu":
        # The other processes have the other cores; threads that wait for each other on busy ones crawl.
        torch.set_num_threads(1)
    columns = columns_of(scores)
    try:
        scoring.names(options.noisy is not None)
        matched, noisy, transcripts = together.same(lambda: find(options))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    with tqdm(total=2 * len(matched), unit="score", disable=None if together.speaks else True) as bar:
        parts = together.all(score_parts(options, scoring, together, matched, noisy, transcripts, bar))
    if not together.speaks:
        return 0
    pairs = sorted((pair for part, _ in parts for pair in part), key=lambda pair: (pair.seconds, pair.name))
    problems = matched.problems + sorted(line for _, lines in parts for line in lines)
    status = 0
    if pairs:
        print_table(pairs, columns)
        if options.csv:
            try:
                write_csv(options.csv, pairs, columns)
            except OSError as error:
                print(f"--csv: {options.csv}: {error.strerror or error}", file=sys.stderr)
                status = 1
    else:
        print(f"no pair of files in {options.reference} and {options.degraded}", file=sys.stderr)
    for pair in pairs:
        problems += [f"{pair.name}: {note}" for note in pair.notes]
    if problems:
        print("\nTo be noted:", *problems, sep="\n  ", file=sys.stderr)
    complete = all(not math.isnan(pair.scores[name]) for pair in pairs for name in columns)
    unpaired = len(problems) > sum(len(pair.notes) for pair in pairs)
    return status if pairs and complete and not unpaired else 1
