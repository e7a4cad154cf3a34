"""Enhance sound files and whole trees of them.

    sb-resizegan enhance noisy.wav FOLDER/ -o OUT/               # with the model of the package
    sb-resizegan enhance FOLDER/ -o OUT/ --model results/enhance/adversarial/1986/export
    sb-resizegan enhance noisy.wav -o OUT/ --num_samples 2       # noisy_1.wav and noisy_2.wav
    sb-resizegan enhance noisy.wav -o OUT/ --num_samples 8 --reduce best    # one of eight
    sb-resizegan enhance noisy.wav -o OUT/ --limit_db 12         # leaves some of the room
    torchrun --nproc_per_node=4 -m sb_resizegan enhance FOLDER/ -o OUT/    # four processes share the files

Files keep their names, and their paths within a folder, their format, sampling rate, length and channels.
What lies above half the model's sampling rate gets the gain that the model gave the band below, or goes with
--upper_band none. Inputs are never touched. The same command again goes on where an interrupted one stopped:
what is there is left alone, and said to be of another model or an older input where it is (.enhanced.jsonl in
OUT remembers). A file that another command is at work on is left to it. Processes without torchrun can share
the files too, with the environment variables RANK and WORLD_SIZE.

The exit status is 0 if every file is enhanced, 1 if any could not be (they are listed at the end), 2 if the
call was wrong.
"""

import argparse
import datetime
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sb_resizegan.commands.finishing_options import add_finishing, check_finishing, finishing
from sb_resizegan.commands.parser import CommandParser, check_device, check_least

# How long processes wait for the others, at the beginning and at the end.
TO_MEET, TO_FINISH = datetime.timedelta(minutes=5), datetime.timedelta(days=30)


def parse(arguments: Sequence[str] | None) -> tuple[CommandParser, argparse.Namespace]:
    """Reads the command line."""
    parser = CommandParser("enhance", __doc__)
    parser.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help="sound file or folder")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="folder of the results"
    )
    parser.add_argument(
        "--model", default="enhance-base", metavar="SOURCE", help="name or folder (default: enhance-base)"
    )
    parser.add_argument("--trust", action="store_true", help="run whatever the model's yaml names")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 … (default: the GPU if there is one)")
    parser.add_argument("--overwrite", action="store_true", help="enhance again what is there")
    parser.add_argument("--num_samples", type=int, metavar="N", help="results for each file")
    parser.add_argument(
        "--reduce", choices=("mean", "best"), help="one of them: their mean, or the one nearest to all others"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the latents (default: 0)")
    parser.add_argument(
        "--chunk_seconds", type=float, default=60.0, help="longer files are cut into chunks (default: 60)"
    )
    add_finishing(parser)
    options = parser.parse_args(arguments)
    check_finishing(parser, options)
    check_least(parser, options, {"num_samples": 1})
    if options.reduce and options.num_samples is None:
        parser.error(f"--reduce: expected --num_samples beside it, but got {options.reduce} alone")
    if not 0.1 <= options.chunk_seconds < 1e6:
        parser.error(f"--chunk_seconds: expected at least 0.1, but got {options.chunk_seconds}")
    if options.output.exists() and not options.output.is_dir():
        parser.error(f"--output: {options.output} is no folder")
    options.rank, options.world_size = (
        int(os.environ.get(name, default)) for name, default in (("RANK", 0), ("WORLD_SIZE", 1))
    )
    if not 0 <= options.rank < options.world_size:
        parser.error(f"RANK: expected 0 to WORLD_SIZE - 1, but got {options.rank} of {options.world_size}")
    return parser, options


def prepare(parser: CommandParser, options: argparse.Namespace) -> tuple:
    """Finds the files and loads the model."""
    from sb_resizegan.inference import GenerativeEnhancement, ModelSourceError
    from sb_resizegan.inference.file_trees import find_jobs

    left_out: list[tuple[str, str]] = []
    options.device = options.device or default_device()
    check_device(parser, options.device)
    try:
        results = None if options.reduce else options.num_samples
        jobs = find_jobs(options.inputs, options.output, results, left_out)
        model = GenerativeEnhancement.from_hparams(
            source=options.model, run_opts={"device": options.device}, trust=options.trust
        )
    except ModelSourceError as error:
        parser.error(f"--model: {error}")
    except ValueError as error:
        parser.error(str(error))
    return jobs, left_out, model


def default_device() -> str:
    """Each process of a machine has a GPU of its own."""
    from speechbrain.utils.distributed import infer_device

    device = infer_device()
    return f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if device == "cuda" else device


class Outcome(NamedTuple):
    """What became of the files, each a list of lines."""

    failures: list
    """Files that could not be enhanced, and why."""

    busy: list
    """Files that another process is at work on."""

    there: list
    """Outputs that were there already."""

    doubts: list
    """Those of them that enhancing would not give now."""


def enhance(model: Any, options: argparse.Namespace, jobs: list, bar: Any) -> Outcome:
    """Enhances files, one by one, and goes on past those that cannot be."""
    from sb_resizegan.inference.enhanced_records import EnhancedRecords, model_identity
    from sb_resizegan.utils.locks import try_lock
    from sb_resizegan.utils.partial import partial_path, unlink_unlocked

    outcome = Outcome([], [], [], [])
    reduced = f"{options.reduce} of {options.num_samples}" if options.reduce else None
    records = EnhancedRecords(options.output, model_identity(model.mods.generator), options.seed, reduced)
    waiting = []
    for job in jobs:
        if job.done and not options.overwrite:
            outcome.there.append(str(job.target))
            unlink_unlocked(partial_path(job.target, ".lock", 0))
            doubt = records.doubt(job)
            if doubt:
                outcome.doubts.append(f"{job.target}: {doubt}")
            bar.update(job.seconds)
            continue
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
            with try_lock(partial_path(job.target, ".lock", 0)) as is_mine:
                if not is_mine:
                    waiting.append(job)
                elif not job.done or options.overwrite:
                    model.enhance_to_file(
                        job.source,
                        job.target,
                        seed=options.seed,
                        num_samples=options.num_samples,
                        reduce=options.reduce,
                        chunk_seconds=options.chunk_seconds,
                        progress=bar.update,
                        **finishing(options),
                    )
                    records.add(job)
        except (OSError, ValueError, RuntimeError) as error:
            reason = one_line(error)
            outcome.failures.append(reason if str(job.source) in reason else f"{job.source}: {reason}")
    outcome.busy.extend(str(job.source) for job in waiting if not job.done)
    return outcome


def one_line(error: Exception) -> str:
    """An error in words: of one of the system, its reason and the file."""
    if isinstance(error, OSError) and error.strerror:
        name = error.filename2 or error.filename  # of two, as in a renaming, the second is written
        return f"{name}: {error.strerror}" if name else error.strerror
    return " ".join(str(error).split())


def gather(outcome: Outcome, group: Any) -> Outcome:
    """What became of the files of all processes of torchrun, once all are done.

    A process that ended with an error before would take the others with it.
    """
    import torch

    if group is None:
        return outcome
    everyone: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyone, outcome, group)
    torch.distributed.destroy_process_group()
    return Outcome(*([line for lines in parts for line in lines] for parts in zip(*everyone, strict=True)))


def say(outcome: Outcome, left_out: list[str]) -> None:
    """What the user should know in the end."""
    if outcome.there:
        print(f"{len(outcome.there)} files were there already", file=sys.stderr)
    for heading, lines in (
        ("There already, but --overwrite would make them anew", outcome.doubts),
        ("Left out", left_out),
        ("Left to another process", outcome.busy),
        ("Not enhanced", outcome.failures),
    ):
        if lines:
            print(f"\n{heading}: {len(lines)}", *sorted(lines), sep="\n  ", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit status."""
    parser, options = parse(arguments)
    logging.basicConfig(format="%(message)s")

    import torch
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    from sb_resizegan.dataio.finding import left_out_lines
    from sb_resizegan.inference.file_trees import share

    all_jobs, left_out, model = prepare(parser, options)
    # Recurrent layers fade to numbers that processors are slow with.
    torch.set_flush_denormal(True)
    group = None
    if torch.distributed.is_torchelastic_launched():
        torch.distributed.init_process_group("gloo", timeout=TO_MEET)
        group = torch.distributed.new_group(timeout=TO_FINISH)
    speaks = group is None or options.rank == 0
    jobs = share(all_jobs, options.rank, options.world_size)
    seconds = round(sum(job.seconds for job in jobs))
    # Bars are shown in a terminal alone.
    with tqdm(total=seconds, unit="s", disable=None if speaks else True) as bar, logging_redirect_tqdm():
        outcome = gather(enhance(model, options, jobs, bar), group)
    if not all_jobs:
        print(f"no sound file in {', '.join(map(str, options.inputs))}", file=sys.stderr)
    if speaks:
        say(outcome, left_out_lines(left_out))
    return 0 if all_jobs and not outcome.failures and not outcome.busy else 1
