"""Which files of whole folders are to be enhanced, and where the results go."""

import os
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sb_resizegan.dataio.finding import files_below, why_left_out
from sb_resizegan.inference.file_enhancement import sample_paths
from sb_resizegan.utils.many_names import Names


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
    size : int
        Bytes of the file.
    """

    source: Path
    target: Path
    outputs: list[Path]
    size: int

    @property
    def done(self) -> bool:
        """Whether all outputs are there; they are written in one step each."""
        return all(path.is_file() for path in self.outputs)


class Jobs(Sequence[Job]):
    """Files to be enhanced, each held as its name and 12 bytes; a `Job` is made when it is asked for.

    Arguments
    ---------
    folders : sequence of str
        In which inputs lie.
    owners : numpy.ndarray
        For each file, the number of its folder.
    names : Names
        Its path within that, and of its result within ``output_folder``.
    sizes : numpy.ndarray
        Its bytes.
    output_folder : str or Path
        Where the results go.
    num_samples : int, optional
        Latents for each file.
    """

    def __init__(
        self,
        folders: Sequence[str],
        owners: np.ndarray,
        names: Names,
        sizes: np.ndarray,
        output_folder: str | os.PathLike,
        num_samples: int | None = None,
    ) -> None:
        self.folders, self.owners, self.names, self.sizes = list(folders), owners, names, sizes
        self.output_folder, self.num_samples = Path(output_folder), num_samples

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: Any) -> Any:
        """A job by its number."""
        target = self.output_folder / self.names[number]
        size = int(self.sizes[number])
        return Job(self.source(number), target, sample_paths(target, self.num_samples), size)

    def __iter__(self) -> Iterator[Job]:
        return (self[number] for number in range(len(self)))

    def source(self, number: int) -> Path:
        """The file itself."""
        return Path(self.folders[int(self.owners[number])]) / self.names[number]

    def largest_first(self) -> np.ndarray:
        """Numbers in the order in which several processes had best take them: none ends long after others."""
        return np.argsort(-self.sizes, kind="stable").astype(np.int32)


def find_jobs(
    inputs: Sequence[str | Path],
    output_folder: str | Path,
    num_samples: int | None = None,
    left_out: list[tuple[str, str]] | None = None,
) -> Jobs:
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
    Jobs
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
    folders: dict[str, int] = {}
    owners, sizes = [array(code) for code in "Iq"]
    left_out = [] if left_out is None else left_out

    def take() -> Iterator[str]:
        for folder, name in _found([Path(path) for path in inputs], output_folder, left_out):
            identity = _identity(os.path.join(folder, name))
            owners.append(folders.setdefault(folder, len(folders)))
            sizes.append(identity.size)
            yield name

    names = Names.of(take())
    jobs = Jobs(list(folders), np.array(owners), names, np.array(sizes), output_folder, num_samples)
    if len(inputs) > 1:
        jobs = _merged(jobs)
    _check_outputs(jobs)
    return jobs


class _Identity(NamedTuple):
    size: int
    file: int


def _identity(path: str | os.PathLike) -> _Identity:
    """The size of a file, and a number that another file is not likely to have."""
    try:
        status = os.stat(path)
    except OSError:
        return _Identity(0, 0)  # enhancing it will say what is wrong
    return _Identity(status.st_size, hash((status.st_dev, status.st_ino)))


def _merged(jobs: Jobs) -> Jobs:
    """Those of several inputs in the order of their targets; what is given twice is there once."""
    order = sorted(range(len(jobs)), key=jobs.names.__getitem__)
    kept = order[:1]
    for number in order[1:]:
        if jobs.names[number] != jobs.names[kept[-1]]:
            kept.append(number)
            continue
        other, source = jobs.source(kept[-1]), jobs.source(number)
        if other.resolve() != source.resolve():
            path = jobs[number].outputs[0]
            raise ValueError(f"{other} and {source} would both become {path}; enhance them one by one")
    numbers = np.array(kept, dtype=np.int64)
    return Jobs(
        jobs.folders,
        jobs.owners[numbers],
        jobs.names.take(numbers),
        jobs.sizes[numbers],
        jobs.output_folder,
        jobs.num_samples,
    )


def _check_outputs(jobs: Jobs) -> None:
    """No output may be an input. Only one that is there can be."""
    if not jobs.output_folder.exists():
        return
    identities = np.fromiter((_identity(jobs.source(n)).file for n in range(len(jobs))), dtype=np.int64)
    order = np.argsort(identities, kind="stable").astype(np.int32)
    for job in jobs:
        for path in job.outputs:
            if not os.path.lexists(path):
                continue
            file = _identity(path).file
            first, end = (int(np.searchsorted(identities, file, side, order)) for side in ("left", "right"))
            # Several names of one file, or by a rare chance one number of two: looked at closely.
            real = os.path.realpath(path)
            if any(os.path.realpath(jobs.source(n)) == real for n in order[first:end]):
                raise ValueError(
                    f"{job.source} would become {path}, which is an input; choose another output folder"
                )


def _found(
    inputs: list[Path], output_folder: Path, left_out: list[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Yields the folder and the name within it of each file."""
    results = output_folder.resolve()
    for path in inputs:
        if path.is_dir():
            within = path.resolve() in results.parents
            for name in files_below(path, results if within else None):
                reason = why_left_out(path / name)
                if reason is None:
                    yield str(path), name
                else:
                    left_out.append((str(path / name), reason))
        elif path.exists():
            yield str(path.parent), path.name
        else:
            raise ValueError(f"{path}: no such file or folder")
