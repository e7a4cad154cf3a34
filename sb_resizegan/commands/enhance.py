"""Enhance sound files and whole trees of them.

    sb-resizegan enhance noisy.wav FOLDER/ -o OUT/               # with the model of the package
    sb-resizegan enhance 'noisy-{00..99}.tar' -o OUT/            # tars of WebDataset, also by URL
    sb-resizegan enhance FOLDER/ -o OUT/ --model results/enhance/adversarial/1986/export
    sb-resizegan enhance noisy.wav -o OUT/ --num_samples 2       # noisy_1.wav and noisy_2.wav
    sb-resizegan enhance noisy.wav -o OUT/ --num_samples 8 --reduce best    # one of eight
    sb-resizegan enhance noisy.wav -o OUT/ --limit_db 12         # leaves some of the room
    torchrun --nproc_per_node=4 -m sb_resizegan enhance FOLDER/ -o OUT/    # four take files as they go

Files keep their names, and their paths within a folder, their format, sampling rate, length and channels.
What lies above half the model's sampling rate gets the gain that the model gave the band below, or goes with
--upper_band none. Inputs are never touched. The same command again goes on where an interrupted one stopped:
what is there is left alone, and said to be of another model or an older input where it is (.enhanced.jsonl in
OUT remembers). A file that another command is at work on is left to it. Processes without torchrun, such as
those of an array job, share the files too, by way of OUT: the environment variables RANK and WORLD_SIZE tell
each where in the list to begin.

The exit status is 0 if every file is enhanced, 1 if any could not be (they are listed at the end), 2 if the
call was wrong.
"""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sb_resizegan.commands.finishing_options import add_finishing, check_finishing, finishing
from sb_resizegan.commands.parser import CommandParser, check_device, check_least


def parse(arguments: Sequence[str] | None) -> tuple[CommandParser, argparse.Namespace]:
    """Reads the command line."""
    parser = CommandParser("enhance", __doc__)
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="sound file, folder, tars of WebDataset")
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


def prepare(
    parser: CommandParser, options: argparse.Namespace, together: Any
) -> tuple[Any, list[tuple[str, str]], Any]:
    """Finds the files, once for all processes, and loads the model."""
    from sb_resizegan.dataio.prepare.tars import is_tar, unpacked
    from sb_resizegan.inference import GenerativeEnhancement, ModelSourceError
    from sb_resizegan.inference.file_trees import find_jobs
    from sb_resizegan.utils.extras import MissingExtraError

    def find(inputs: list[Path]) -> tuple[Any, list[tuple[str, str]]]:
        left_out: list[tuple[str, str]] = []
        results = None if options.reduce else options.num_samples
        return find_jobs(inputs, options.output, results, left_out), left_out

    options.device = options.device or default_device()
    check_device(parser, options.device)
    try:
        inputs = [unpacked(source) if is_tar(source) else Path(source) for source in options.inputs]
        jobs, left_out = together.same(lambda: find(inputs))
        model = GenerativeEnhancement.from_hparams(
            source=options.model, run_opts={"device": options.device}, trust=options.trust
        )
    except ModelSourceError as error:
        parser.error(f"--model: {error}")
    except (ValueError, FileNotFoundError, MissingExtraError) as error:
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

    there: int
    """How many outputs were there already."""

    doubts: list
    """Those of them that enhancing would not give now."""


def enhance(
    model: Any, options: argparse.Namespace, jobs: Any, numbers: Iterable[int], bar: "Progress"
) -> Outcome:
    """Enhances files, one by one, and goes on past those that cannot be.

    ``numbers`` says which jobs, as they are asked for; ``bar`` is a `Progress`.
    """
    from sb_resizegan.inference.enhanced_records import EnhancedRecords, model_identity
    from sb_resizegan.utils.locks import try_lock
    from sb_resizegan.utils.partial import partial_path, unlink_unlocked

    failures: list[str] = []
    busy: list[int] = []
    doubts: list[str] = []
    there = 0
    reduced = f"{options.reduce} of {options.num_samples}" if options.reduce else None
    records = EnhancedRecords(options.output, model_identity(model.mods.generator), options.seed, reduced)
    for number in numbers:
        job = jobs[number]
        if job.done and not options.overwrite:
            there += 1
            unlink_unlocked(partial_path(job.target, ".lock", 0))
            doubt = records.doubt(job)
            if doubt:
                doubts.append(f"{job.target}: {doubt}")
            bar.end_file(job)
            continue
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
            with try_lock(partial_path(job.target, ".lock", 0)) as is_mine:
                if not is_mine:
                    busy.append(number)
                elif not job.done or options.overwrite:
                    model.enhance_to_file(
                        job.source,
                        job.target,
                        seed=options.seed,
                        num_samples=options.num_samples,
                        reduce=options.reduce,
                        chunk_seconds=options.chunk_seconds,
                        progress=bar.within(job),
                        **finishing(options),
                    )
                    records.add(job)
        except (OSError, ValueError, RuntimeError) as error:
            reason = one_line(error)
            failures.append(reason if str(job.source) in reason else f"{job.source}: {reason}")
        bar.end_file(job)
    return Outcome(failures, [str(jobs[n].source) for n in busy if not jobs[n].done], there, doubts)


class Progress:
    """A bar over the bytes of all files.

    Arguments
    ---------
    bar : tqdm
        The bar.
    """

    def __init__(self, bar: Any) -> None:
        self.bar = bar
        self._done = 0

    def within(self, job: Any) -> Callable[[float], object] | None:
        """What is called with the seconds of a file that are done; None where nobody looks."""
        if self.bar.disable:
            return None
        from sb_resizegan.dataio.audio import UnusableAudioError, audio_header

        try:
            seconds = audio_header(job.source).seconds
        except UnusableAudioError:
            return None  # enhancing it will say what is wrong
        return lambda part: self.bar.update(part / seconds * job.size) if seconds else None

    def end_file(self, job: Any) -> None:
        """A file is done with."""
        self._done += job.size
        self.bar.update(self._done - self.bar.n)


def one_line(error: Exception) -> str:
    """An error in words: of one of the system, its reason and the file."""
    if isinstance(error, OSError) and error.strerror:
        name = error.filename2 or error.filename  # of two, as in a renaming, the second is written
        return f"{name}: {error.strerror}" if name else error.strerror
    return " ".join(str(error).split())


def joined(outcomes: list[Outcome]) -> Outcome:
    """What became of the files of all processes."""
    return Outcome(
        [line for outcome in outcomes for line in outcome.failures],
        [line for outcome in outcomes for line in outcome.busy],
        sum(outcome.there for outcome in outcomes),
        [line for outcome in outcomes for line in outcome.doubts],
    )


def say(outcome: Outcome, left_out: list[str]) -> None:
    """What the user should know in the end."""
    if outcome.there:
        print(f"{outcome.there} files were there already", file=sys.stderr)
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

    import numpy as np
    import torch
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    from sb_resizegan.dataio.finding import left_out_lines
    from sb_resizegan.utils.processes import Together

    # Recurrent layers fade to numbers that processors are slow with.
    torch.set_flush_denormal(True)
    together = Together()
    jobs, left_out, model = prepare(parser, options, together)
    order = jobs.largest_first() if options.world_size > 1 else range(len(jobs))
    by_folder = options.world_size > 1 and together.world_size == 1
    if by_folder:
        # Each begins elsewhere, and leaves what another one is at work on to it.
        order = np.roll(order, -(len(order) * options.rank // options.world_size))
    numbers = (order[turn] for turn in together.turns(len(jobs)))
    size = int(jobs.sizes.sum()) // together.world_size
    # Bars are shown in a terminal alone.
    with (
        tqdm(total=size, unit="B", unit_scale=True, disable=None if together.speaks else True) as bar,
        logging_redirect_tqdm(),
    ):
        outcomes = together.all(enhance(model, options, jobs, numbers, Progress(bar)))
    if not together.speaks:
        return 0
    outcome = joined(outcomes)
    if not jobs:
        print(f"no sound file in {', '.join(map(str, options.inputs))}", file=sys.stderr)
    say(outcome, left_out_lines(left_out))
    complete = not outcome.failures and (by_folder or not outcome.busy)
    return 0 if jobs and complete else 1
