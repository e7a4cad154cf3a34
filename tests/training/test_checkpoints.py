"""Checkpoints that are whole or absent."""

import os
import re
import resource
import subprocess
import sys
import textwrap

import pytest
import torch

from sb_resizegan.training import checkpoints
from sb_resizegan.training.checkpoints import AtomicCheckpointer, CheckpointError
from tests.forked import kill_at_work


def checkpointer(folder, size=3):
    return AtomicCheckpointer(folder, {"layer": torch.nn.Linear(size, size)})


def test_a_saved_checkpoint_is_recovered(tmp_path):
    first, second = checkpointer(tmp_path), checkpointer(tmp_path)
    first.save_checkpoint(meta={"score": 1.5})
    assert second.recover_if_possible().meta["score"] == 1.5
    assert torch.equal(first.recoverables["layer"].weight, second.recoverables["layer"].weight)


def test_best_and_newest_are_kept_and_the_rest_goes_without_a_trace(tmp_path):
    saver = checkpointer(tmp_path)
    for score in (3.0, 1.0, 2.0, 4.0):
        saver.save_and_keep_only(meta={"score": score}, min_keys=["score"])
    assert sorted(c.meta["score"] for c in saver.list_checkpoints()) == [1.0, 4.0]
    assert len(list(tmp_path.iterdir())) == 2


def save_for_ever(under_way, folder):
    layers = {"a": torch.nn.Linear(400, 400), "b": torch.nn.Linear(400, 400)}
    saver = AtomicCheckpointer(folder, layers)
    saver.save_and_keep_only()
    under_way()
    while True:
        saver.save_and_keep_only()


def test_killed_at_any_moment_of_saving_leaves_only_whole_checkpoints(tmp_path):
    """Kills a process that does nothing but save, at many moments, and loads what it left."""
    for trial in range(4):
        kill_at_work(save_for_ever, tmp_path, seconds=0.05 + 0.013 * trial)
        reader = AtomicCheckpointer(
            tmp_path, {"a": torch.nn.Linear(400, 400), "b": torch.nn.Linear(400, 400)}
        )
        assert reader.recover_if_possible()
        assert all(sorted(c.paramfiles) == ["a", "b"] for c in reader.list_checkpoints())
        reader.remove_partial()
        assert {p.name for p in tmp_path.iterdir()} == {c.path.name for c in reader.list_checkpoints()}


def test_another_architecture_is_an_error_that_names_the_checkpoint(tmp_path):
    saved = checkpointer(tmp_path).save_checkpoint()
    with pytest.raises(CheckpointError, match="size mismatch") as error:
        checkpointer(tmp_path, size=4).recover_if_possible()
    assert str(saved.path) in str(error.value)


def test_a_truncated_file_is_an_error_that_names_the_checkpoint(tmp_path):
    saved = checkpointer(tmp_path).save_checkpoint()
    os.truncate(saved.path / "layer.ckpt", 100)
    with pytest.raises(CheckpointError, match="damaged") as error:
        checkpointer(tmp_path).recover_if_possible()
    assert str(saved.path) in str(error.value)


def test_the_system_s_reason_is_found_whichever_file_failed(tmp_path):
    """torch.save names none, and files of one moment have one time."""
    for name, size in (("b", 10), ("c", 20)):
        (tmp_path / name).write_bytes(bytes(size))
        os.utime(tmp_path / name, ns=(0, 0))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        assert checkpoints._reason(RuntimeError("unexpected pos 64 vs 0"), tmp_path) == "File too large"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert checkpoints._reason(RuntimeError("other"), tmp_path) == "RuntimeError: other"


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path):
    """A limit on the size of files stands for the full disk: both end a write with an error of the system."""
    script = textwrap.dedent(f"""
        import resource, signal, sys, torch
        from sb_resizegan.training.checkpoints import AtomicCheckpointer, CheckpointError
        saver = AtomicCheckpointer({str(tmp_path)!r}, {{"layer": torch.nn.Linear(3, 3)}})
        saver.save_checkpoint(meta={{"number": 1}})
        saver.add_recoverable("large", torch.nn.Linear(500, 500))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            saver.save_checkpoint(meta={{"number": 2}})
        except CheckpointError as error:
            sys.exit(f"refused: {{error}}")
    """)
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "refused: could not save a checkpoint in" in process.stderr
    reader = checkpointer(tmp_path)
    assert reader.recover_if_possible().meta["number"] == 1
    assert len(list(tmp_path.iterdir())) == 1


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["layer.ckpt", "CKPT.yaml", "SHA256SUMS"])
@pytest.mark.parametrize("place", [3, 200, 701, -40])
def test_a_damaged_checkpoint_is_passed_over_and_said(tmp_path, caplog, name, place):
    saver = checkpointer(tmp_path)
    older = saver.save_checkpoint(meta={"number": 1})
    newer = saver.save_checkpoint(meta={"number": 2})
    flip(newer.path / name, place)
    reader = checkpointer(tmp_path)
    reader.remove_partial()
    assert reader.recover_if_possible().path == older.path
    assert re.search(rf"{re.escape(str(newer.path))} is damaged: .*an older checkpoint is taken", caplog.text)
    # It is not deleted: somebody may mend it.
    assert newer.path.is_dir()
    flip(newer.path / name, place)
    assert checkpointer(tmp_path).recover_if_possible().meta["number"] == 2


def test_every_bit_of_what_orders_checkpoints_counts(tmp_path, caplog):
    """A changed digit of the time or of a figure does not quietly make another one the newest or the best."""
    older, newer = (checkpointer(tmp_path).save_checkpoint(meta={"number": number}) for number in (1, 2))
    whole = (newer.path / "CKPT.yaml").read_bytes()
    for place in range(len(whole)):
        caplog.clear()
        flip(newer.path / "CKPT.yaml", place)
        assert checkpointer(tmp_path).recover_if_possible().path == older.path
        assert f"{newer.path} is damaged" in caplog.text, place
        (newer.path / "CKPT.yaml").write_bytes(whole)


def test_damage_is_found_in_checkpoints_of_before_too(tmp_path):
    """They have no sums, but the files of torch.save hold checksums of their own."""
    saved = [checkpointer(tmp_path).save_checkpoint(meta={"number": number}) for number in range(2)]
    for checkpoint in saved:
        (checkpoint.path / "SHA256SUMS").unlink()
    data = (saved[1].path / "layer.ckpt").read_bytes()
    weights = saved_weights(saved[1].path / "layer.ckpt")
    flip(saved[1].path / "layer.ckpt", data.index(weights))
    assert checkpointer(tmp_path).recover_if_possible().meta["number"] == 0


def saved_weights(path):
    return torch.load(path)["weight"].numpy().tobytes()


def test_the_sums_are_sha256sums(tmp_path):
    saved = checkpointer(tmp_path).save_checkpoint()
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=saved.path, capture_output=True
    )
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2


def test_no_training_begins_anew_where_all_checkpoints_are_damaged(tmp_path):
    saver = checkpointer(tmp_path)
    for number in range(2):
        flip(saver.save_checkpoint(meta={"number": number}).path / "layer.ckpt", 500)
    with pytest.raises(CheckpointError, match=r"all checkpoints are damaged: .*CKPT.*CKPT"):
        checkpointer(tmp_path).recover_if_possible()
