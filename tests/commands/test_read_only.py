"""Folders that may not be written: every command says so in one line, and what only reads them works.

Whoever runs the tests as root may write everywhere; root without the capability to override permissions may
not, nor may any other user.
"""

import ctypes
import os

import pytest
import torch

from benchmarks.fault_parts.kills import build_cache, material_for
from benchmarks.fault_parts.material import SMALL_ENHANCE, SMALL_GAN, command_of, run_command, tree
from benchmarks.fault_parts.trials import in_child

CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2
PR_CAPBSET_DROP = 24  # linux/prctl.h


def without_rights(function, *arguments):
    """Calls a function in a process for which permissions hold, whoever it belongs to."""

    def call():
        if os.geteuid() == 0:
            libc = ctypes.CDLL(None, use_errno=True)
            header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
            sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; and of higher numbers
            for capability in (DAC_OVERRIDE, DAC_READ_SEARCH):
                assert libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())
            assert libc.capget(header, sets) == 0, os.strerror(ctypes.get_errno())
            for place in range(3):
                sets[place] &= ~(1 << DAC_OVERRIDE | 1 << DAC_READ_SEARCH)
            assert libc.capset(header, sets) == 0, os.strerror(ctypes.get_errno())
        torch.set_num_threads(1)
        return function(*arguments)

    return in_child(call, seconds=60)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    return material_for(tmp_path_factory.mktemp("material") / "material")


@pytest.fixture
def closed(tmp_path):
    """A folder that may be read and not written."""
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


def test_permissions_hold(closed):
    ended = without_rights((closed / "file").write_text, "x")
    assert ended.how == "raised" and "Permission denied" in ended.value


COMMANDS = {
    "enhance into it": lambda closed, material: command_of("enhance", closed, material),
    "enhance below it": lambda closed, material: command_of("enhance", closed / "new" / "deep", material),
    "train-gan": lambda closed, material: [
        *("train-gan", *SMALL_GAN, "--device=cpu", f"--data_folder={material / 'speech'}"),
        f"--output_folder={closed / 'run'}",
    ],
    "train-enhance": lambda closed, material: [
        *("train-enhance", *SMALL_ENHANCE, "--device=cpu", f"--data_folder={material / 'pairs'}"),
        f"--output_folder={closed}",
    ],
    "score": lambda closed, material: [
        *("score", material / "pairs" / "clean", material / "pairs" / "noisy", "--jobs", "1"),
        *("--csv", closed / "scores.csv"),
    ],
    "measure": lambda closed, material: [
        *("measure", material / "speech", "--num_windows", "64", "--csv", closed / "measures.csv"),
    ],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_that_may_not_be_written_is_named(name, closed, material):
    ended = without_rights(run_command, COMMANDS[name](closed, material))
    assert ended.fault() is None and ended.value, ended
    lines = [line for line in ended.text.splitlines() if "Permission denied" in line]
    assert lines and all(str(closed) in line for line in lines), ended.text
    assert list(closed.iterdir()) == []


def test_a_cache_that_may_not_be_written_is_named(closed, material):
    ended = without_rights(build_cache, closed, material)
    assert ended.how == "raised" and ended.value.startswith("PermissionError")
    assert str(closed) in ended.value and "Permission denied" in ended.value


def test_what_only_reads_needs_no_rights(tmp_path, material):
    """The folders of input are closed, and an output folder in which all is done already."""
    command = command_of("enhance", tmp_path / "out", material)
    folders = [material, *(path for path in material.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        first = without_rights(run_command, command)
        assert first.fault() is None and first.value == 0, first
        before = tree(tmp_path / "out")
        (tmp_path / "out").chmod(0o555)
        again = without_rights(run_command, command)
        assert again.fault() is None and again.value == 0, again
        assert "4 files were there already" in again.text and tree(tmp_path / "out") == before
    finally:
        for folder in (*folders, tmp_path / "out"):
            folder.chmod(0o755)


def test_a_model_of_a_closed_folder_is_loaded_and_a_file_that_may_not_be_read_is_named(tmp_path, material):
    speech = tmp_path / "speech"
    speech.mkdir()
    (speech / "a.wav").write_bytes((material / "speech" / "000.wav").read_bytes())
    (speech / "a.wav").chmod(0o000)
    command = ["enhance", speech, "-o", tmp_path / "out", "--model", material / "model", "--device", "cpu"]
    ended = without_rights(run_command, command)
    assert ended.fault() is None and ended.value == 1, ended
    assert f"{speech / 'a.wav'}: unreadable: Permission denied" in ended.text
