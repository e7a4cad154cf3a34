"""A checkpointer whose checkpoints are whole or absent, whenever the process is killed."""

import logging
import os
import shutil

import yaml
from speechbrain.utils.checkpoints import CKPT_PREFIX, METAFNAME, PARAMFILE_EXT, Checkpoint, Checkpointer
from speechbrain.utils.distributed import ddp_broadcast, if_main_process, main_process_only
from speechbrain.utils.logger import get_logger

logger = get_logger(__name__)

PARTIAL_SUFFIX = ".partial"
FILES_KEY = "files"


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
        Objects to save, by name; see :class:`speechbrain.utils.checkpoints.Checkpointer`.
    allow_partial_load : bool
        As there.
    """

    def __init__(self, checkpoints_dir, recoverables=None, allow_partial_load=False):
        super().__init__(checkpoints_dir, recoverables, allow_partial_load=allow_partial_load)
        self._partial = None

    def _new_checkpoint_dirpath(self):
        return self._partial_path(super()._new_checkpoint_dirpath())

    def _custom_checkpoint_dirpath(self, name):
        return self._partial_path(super()._custom_checkpoint_dirpath(name))

    def _partial_path(self, final):
        # A leading dot keeps it out of the listing, which goes by prefix.
        self._partial = final.with_name(f".{final.name}{PARTIAL_SUFFIX}")
        shutil.rmtree(self._partial, ignore_errors=True)
        return self._partial

    def save_checkpoint(self, meta=None, end_of_epoch=True, name=None, verbosity=logging.INFO):
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
            failure = f"{type(error).__name__}: {error}"
        # Every process learns of the main one's failure: one that went on alone would wait for the others for
        # ever.
        failure = ddp_broadcast(failure, src=0)
        if failure is not None:
            shutil.rmtree(self._partial, ignore_errors=True)
            raise CheckpointError(f"could not save a checkpoint in {self.checkpoints_dir}: {failure}")
        return checkpoint

    def _publish(self, checkpoint):
        for path in checkpoint.path.iterdir():
            _flush(path)
        final = checkpoint.path.with_name(checkpoint.path.name[1 : -len(PARTIAL_SUFFIX)])
        if final.exists():
            shutil.rmtree(final)
        os.rename(checkpoint.path, final)
        _flush(self.checkpoints_dir)
        files = {name: final / path.name for name, path in checkpoint.paramfiles.items()}
        return Checkpoint(final, checkpoint.meta, files)

    def _list_checkpoint_dirs(self):
        # SpeechBrain deletes file by file. A folder whose deletion was cut short no longer has all that it
        # lists.
        return [folder for folder in super()._list_checkpoint_dirs() if not _missing_files(folder)]

    @main_process_only
    def remove_partial(self):
        """Removes what a killed process left half written. Call it while no other process saves here."""
        whole = self._list_checkpoint_dirs()
        halves = [path for path in self.checkpoints_dir.glob(f"{CKPT_PREFIX}+*") if path not in whole]
        for path in [*halves, *self.checkpoints_dir.glob(f".{CKPT_PREFIX}*{PARTIAL_SUFFIX}")]:
            shutil.rmtree(path)

    def load_checkpoint(self, checkpoint):
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


def _missing_files(folder):
    with open(folder / METAFNAME, encoding="utf-8") as stream:
        names = yaml.safe_load(stream).get(FILES_KEY, [])
    return [name for name in names if not (folder / f"{name}{PARAMFILE_EXT}").is_file()]


def _flush(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
