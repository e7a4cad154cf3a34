"""A checkpointer whose checkpoints are whole or absent, whenever the process is killed."""

import hashlib
import logging
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from speechbrain.utils.checkpoints import CKPT_PREFIX, METAFNAME, PARAMFILE_EXT, Checkpoint, Checkpointer
from speechbrain.utils.distributed import ddp_broadcast, if_main_process, main_process_only
from speechbrain.utils.logger import get_logger

from sb_resizegan.utils.partial import sync

logger = get_logger(__name__)

PARTIAL_SUFFIX = ".partial"
PROBE_BYTES = 1 << 20
FILES_KEY = "files"
SUMS = "SHA256SUMS"


class CheckpointError(RuntimeError):
    """A checkpoint cannot be read, or belongs to another run."""


class AtomicCheckpointer(Checkpointer):
    """SpeechBrain's checkpointer, made safe against being killed.

    SpeechBrain writes a checkpoint's meta file first and its parameters after it, so that a process killed in
    between leaves a folder that looks like the newest checkpoint and cannot be loaded. Here a checkpoint is
    written under another name, flushed to disk and renamed when it is complete. Its meta data lists its
    files, so that one whose deletion was cut short is known too.

    Arguments
    ---------
    checkpoints_dir : str
        Where checkpoints lie; made if it is not there.
    recoverables : dict, optional
        Objects to save, by name; see `speechbrain.utils.checkpoints.Checkpointer`.
    allow_partial_load : bool
        As there.
    """

    def __init__(
        self, checkpoints_dir: str | Path, recoverables: dict | None = None, allow_partial_load: bool = False
    ) -> None:
        super().__init__(checkpoints_dir, recoverables, allow_partial_load=allow_partial_load)
        self._partial: Path | None = None
        self._checked: set[Path] = set()
        self._damaged: set[Path] = set()

    def _new_checkpoint_dirpath(self) -> Path:
        return self._partial_path(super()._new_checkpoint_dirpath())

    def _custom_checkpoint_dirpath(self, name: str) -> Path:
        return self._partial_path(super()._custom_checkpoint_dirpath(name))

    def _partial_path(self, final: Path) -> Path:
        # A leading dot keeps it out of the listing, which goes by prefix.
        self._partial = final.with_name(f".{final.name}{PARTIAL_SUFFIX}")
        self._remove_partial()
        return self._partial

    def _remove_partial(self) -> None:
        if self._partial is not None:
            shutil.rmtree(self._partial, ignore_errors=True)

    def save_checkpoint(
        self,
        meta: Mapping[str, Any] | None = None,
        end_of_epoch: bool = True,
        name: str | None = None,
        verbosity: int = logging.INFO,
    ) -> Checkpoint:
        """Saves a checkpoint that is complete or absent; see SpeechBrain's method for the arguments.

        Raises
        ------
        CheckpointError
            If it could not be written, a full disk for instance; older checkpoints stay as they were.
        """
        checkpoint, failure = None, None
        try:
            meta = {**(meta or {}), FILES_KEY: sorted(self.recoverables)}
            checkpoint = super().save_checkpoint(meta, end_of_epoch, name, logging.DEBUG)
            if if_main_process():
                checkpoint = self._publish(checkpoint)
                logger.log(verbosity, f"Saved a checkpoint in {checkpoint.path}")
        except (OSError, RuntimeError) as error:  # torch.save turns a full disk into a RuntimeError
            failure = _reason(error, self._partial)
        # Every process learns of the main one's failure: one that went on alone would wait for the others for
        # ever.
        failure = ddp_broadcast(failure, src=0)
        if failure is not None:
            self._remove_partial()
            raise CheckpointError(f"could not save a checkpoint in {self.checkpoints_dir}: {failure}")
        return checkpoint

    def _publish(self, checkpoint: Checkpoint) -> Checkpoint:
        write_sums(checkpoint.path)
        for path in [*checkpoint.path.iterdir(), checkpoint.path]:
            sync(path)
        final = checkpoint.path.with_name(checkpoint.path.name[1 : -len(PARTIAL_SUFFIX)])
        if final.exists():
            shutil.rmtree(final)
        os.rename(checkpoint.path, final)
        sync(self.checkpoints_dir)
        self._checked.add(final)
        files = {name: final / path.name for name, path in checkpoint.paramfiles.items()}
        return Checkpoint(final, checkpoint.meta, files)

    def _list_checkpoint_dirs(self) -> list[Path]:
        # A folder whose deletion was cut short no longer has all that it lists.
        folders = [folder for folder in super()._list_checkpoint_dirs() if not _missing_files(folder)]
        for folder in folders:
            try:
                _read_meta(folder)
            except CheckpointError as error:
                self._set_aside(folder, error)
        return [folder for folder in folders if folder not in self._damaged]

    def find_checkpoints(self, *args: Any, **kwargs: Any) -> list[Checkpoint]:
        """Finds checkpoints that are whole, best first; see SpeechBrain's method for the arguments.

        A damaged checkpoint is passed over, with a warning that names it and what is wrong.

        Raises
        ------
        CheckpointError
            If there are checkpoints, but all of them are damaged: to begin anew would be no going on.
        """
        while found := super().find_checkpoints(*args, **kwargs):
            folder = found[0].path
            try:
                # Once in a process: what is looked at here was written by a process before. Only the best is
                # loaded; the others are looked at when it is their turn.
                if folder not in self._checked:
                    check_checkpoint(folder)
                    self._checked.add(folder)
                return found
            except CheckpointError as error:
                self._set_aside(folder, error)
        if self._damaged and not self._list_checkpoint_dirs():
            raise CheckpointError(
                f"all checkpoints are damaged: {', '.join(sorted(map(str, self._damaged)))}; "
                "choose another output_folder, or delete them to begin anew"
            )
        return []

    def _set_aside(self, folder: Path, error: BaseException) -> None:
        if folder not in self._damaged:
            logger.warning("%s; an older checkpoint is taken", error)
            self._damaged.add(folder)

    @main_process_only
    def remove_partial(self) -> None:
        """Removes what a killed process left half written. Call it while no other process saves here."""
        halves = [path for path in self.checkpoints_dir.glob(f"{CKPT_PREFIX}+*") if _missing_files(path)]
        for path in [*halves, *self.checkpoints_dir.glob(f".{CKPT_PREFIX}*{PARTIAL_SUFFIX}")]:
            shutil.rmtree(path)

    def load_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Loads a checkpoint.

        Raises
        ------
        CheckpointError
            If it does not fit what is to be loaded, or a file is damaged; it names the checkpoint and the
            reason.
        """
        try:
            super().load_checkpoint(checkpoint)
        except Exception as error:
            reason = " ".join(str(error).split())
            raise CheckpointError(
                f"the checkpoint {checkpoint.path} does not fit this run or is damaged. "
                "If the model was changed, choose another output_folder; if a file is damaged, delete the "
                f"checkpoint to go on from an older one. Reason: {type(error).__name__}: {reason[:600]}"
            ) from error


def check_checkpoint(folder: str | os.PathLike) -> None:
    """Finds out whether a checkpoint's files are as they were written.

    They are compared with the SHA-256 sums beside them, which ``sha256sum -c`` reads too. A checkpoint of a
    version that wrote none is judged by the checksums within its files.

    Arguments
    ---------
    folder : str or Path
        The checkpoint.

    Raises
    ------
    CheckpointError
        Naming the checkpoint and the file that is damaged.
    """
    folder = Path(folder)
    try:
        if (folder / SUMS).is_file():
            for name, digest in _read_sums(folder).items():
                _check_sum(folder, name, digest)
        else:
            _read_meta(folder)
            for path in folder.glob(f"*{PARAMFILE_EXT}"):
                if path.read_bytes()[:2] == b"PK":
                    with zipfile.ZipFile(path) as archive:
                        if archive.testzip():
                            raise CheckpointError(f"the checkpoint {folder} is damaged: {path.name}")
    except (OSError, ValueError, yaml.YAMLError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"the checkpoint {folder} is damaged: {reason}") from error


def write_sums(folder: Path) -> None:
    """Writes the SHA-256 sums of a checkpoint's files beside them, as `check_checkpoint()` reads them.

    Arguments
    ---------
    folder : Path
        The checkpoint.
    """
    files = sorted(path for path in folder.iterdir() if path.name != SUMS)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def _read_sums(folder: Path) -> dict[str, str]:
    """Sums by the name of the file."""
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _check_sum(folder: Path, name: str, digest: str) -> None:
    if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
        raise CheckpointError(f"the checkpoint {folder} is damaged: {name} is not what was written")


def _read_meta(folder: Path) -> dict[str, Any]:
    """Meta data of a checkpoint; CheckpointError if they are not what was written.

    They say which checkpoint is the newest and which the best: a changed digit would put it in a wrong place,
    and another would be taken without a word.
    """
    try:
        if (folder / SUMS).is_file():
            digest = _read_sums(folder).get(METAFNAME)
            if digest is not None:
                _check_sum(folder, METAFNAME, digest)
        meta = yaml.safe_load((folder / METAFNAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise CheckpointError(f"the checkpoint {folder} is damaged: {METAFNAME} is no yaml") from error
    if not isinstance(meta, dict) or not {"unixtime", "end-of-epoch"} <= meta.keys():
        raise CheckpointError(f"the checkpoint {folder} is damaged: {METAFNAME} lacks what SpeechBrain wrote")
    return meta


def _missing_files(folder: Path) -> list[str]:
    """Files that a checkpoint lists and does not have; its list itself where that is missing."""
    if not (folder / METAFNAME).is_file():
        return [METAFNAME] if folder.is_dir() else []
    try:
        names = _read_meta(folder).get(FILES_KEY) or []
    except CheckpointError:
        return []  # damaged is not half: somebody may mend it
    return [name for name in names if not (folder / f"{name}{PARAMFILE_EXT}").is_file()]


def _reason(error: BaseException, folder: Path | None) -> str:
    """Why a checkpoint could not be written; of a full disk, torch.save says nothing but where it stopped."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    try:
        # Which file failed is not known: files that are written within a few milliseconds have one time.
        for path in folder.iterdir() if folder else ():
            with open(path, "ab") as stream:  # buffered: a file that has room for a part is written to again
                stream.write(bytes(PROBE_BYTES))
                stream.flush()
                os.fsync(stream.fileno())
    except OSError as system:
        return system.strerror or str(system)
    return f"{type(error).__name__}: {error}"
