"""Which files of whole folders are to be enhanced, and where the results go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sb_resizegan.dataio.audio import UnusableAudioError, audio_header
from sb_resizegan.dataio.finding import files_below, why_left_out
from sb_resizegan.inference.file_enhancement import sample_paths


@dataclass
class Job:
    """A sound file to be enhanced.

    Arguments
    ---------
    source : Path
        The file.
    target : Path
        Where the result goes.
    outputs : list of Path
        What there is when it is done: the target, or a file for each latent.
    seconds : float
        Length by its header; 0 if that cannot be read.
    """

    source: Path
    target: Path
    outputs: list[Path]
    seconds: float

    @property
    def done(self) -> bool:
        """Whether all outputs are there; they are written in one step each."""
        return all(path.is_file() for path in self.outputs)


def find_jobs(
    inputs: Sequence[str | Path],
    output_folder: str | Path,
    num_samples: int | None = None,
    left_out: list[tuple[str, str]] | None = None,
) -> list[Job]:
    """Matches sound files and trees of them with their outputs.

    A file given by itself keeps its name; files of a folder keep their path within it. Of folders, files with
    the ending of a sound format count (`sb_resizegan.dataio.finding`); hidden ones, and what lies in the
    output folder, do not.

    Arguments
    ---------
    inputs : sequence of str or Path
        Files and folders.
    output_folder : str or Path
        Where the results go.
    num_samples : int, optional
        Latents for each file.
    left_out : list, optional
        Gets a name and a reason for each file of the folders that is no recording.

    Returns
    -------
    list of Job
        In the order of their targets.

    Raises
    ------
    ValueError
        For an input that is not there, two inputs with one output, and an output that is an input; it names
        the files.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> (folder / "noisy" / "a").mkdir(parents=True)
    >>> for name in ("a/b.wav", "c.flac", "notes.txt"):
    ...     (folder / "noisy" / name).touch()
    >>> [job.target.relative_to(folder).as_posix() for job in find_jobs([folder / "noisy"], folder / "out")]
    ['out/a/b.wav', 'out/c.flac']
    """
    output_folder = Path(output_folder)
    jobs: dict[Path, Job] = {}
    takers: dict[Path, Path] = {}
    left_out = [] if left_out is None else left_out
    for source, target in _pairs([Path(path) for path in inputs], output_folder, left_out):
        outputs = sample_paths(target, num_samples)
        for path in outputs:
            other = takers.setdefault(path, source)
            if other.resolve() != source.resolve():
                raise ValueError(f"{other} and {source} would both become {path}; enhance them one by one")
        jobs.setdefault(target, Job(source, target, outputs, _seconds(source)))
    sources = {source.resolve() for source in takers.values()}
    for path, source in takers.items():
        if path.resolve() in sources:
            raise ValueError(f"{source} would become {path}, which is an input; choose another output folder")
    return [jobs[target] for target in sorted(jobs)]


def share(jobs: list[Job], rank: int, world_size: int) -> list[Job]:
    """The part of one of several processes: about as many seconds as each of the others'.

    Arguments
    ---------
    jobs : list of Job
        All of them, in the same order everywhere.
    rank, world_size : int
        Of this process, and how many there are.

    Returns
    -------
    list of Job

    Example
    -------
    >>> jobs = [Job(None, None, [], seconds) for seconds in (60, 10, 50, 20)]
    >>> [[job.seconds for job in share(jobs, rank, 2)] for rank in (0, 1)]
    [[60, 10], [50, 20]]
    """
    loads = [0.0] * world_size
    parts: list[list[Job]] = [[] for _ in range(world_size)]
    for job in sorted(jobs, key=lambda job: -job.seconds):
        least = loads.index(min(loads))
        loads[least] += job.seconds + 1.0  # every file costs something
        parts[least].append(job)
    return parts[rank]


def _pairs(
    inputs: list[Path], output_folder: Path, left_out: list[tuple[str, str]]
) -> Iterator[tuple[Path, Path]]:
    results = output_folder.resolve()
    for path in inputs:
        if path.is_dir():
            within = path.resolve() in results.parents
            for name in files_below(path, results if within else None):
                reason = why_left_out(path / name)
                if reason is None:
                    yield path / name, output_folder / name
                else:
                    left_out.append((str(path / name), reason))
        elif path.exists():
            yield path, output_folder / path.name
        else:
            raise ValueError(f"{path}: no such file or folder")


def _seconds(path: Path) -> float:
    try:
        return audio_header(path).seconds or 0.0
    except UnusableAudioError:
        return 0.0  # enhancing it will say what is wrong
