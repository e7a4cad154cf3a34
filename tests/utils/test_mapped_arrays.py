"""Arrays of a file: what was written, refused where the file is another or cut off."""

import pickle

import numpy as np
import pytest

from sb_resizegan.utils.many_names import Names
from sb_resizegan.utils.mapped_arrays import MappedArrays, write_arrays


def test_arrays_are_as_they_were_written(tmp_path):
    random = np.random.default_rng(0)
    arrays = {
        "int": random.integers(-(2**40), 2**40, 1001),
        "pairs": random.integers(0, 9, (7, 2)).astype(np.int32),
        "none": np.zeros((0, 2), dtype=np.float32),
        "bytes": np.frombuffer(b"abc", dtype=np.uint8),
        "turned": random.standard_normal((5, 3)).T,
    }
    write_arrays(tmp_path / "a.index", arrays)
    for found in (
        MappedArrays(tmp_path / "a.index"),
        pickle.loads(pickle.dumps(MappedArrays(tmp_path / "a.index"))),
    ):
        assert list(found) == list(arrays)
        for name, values in arrays.items():
            assert found[name].dtype == values.dtype
            np.testing.assert_array_equal(found[name], values)
    with pytest.raises(ValueError, match="read-only"):
        found["int"][0] = 1


def test_another_file_and_a_cut_one_are_refused(tmp_path):
    path = tmp_path / "a.index"
    path.write_bytes(b"RIFF and more of it")
    with pytest.raises(ValueError, match="expected a file of arrays"):
        MappedArrays(path)
    write_arrays(path, {"a": np.arange(1000)})
    whole = path.read_bytes()
    for size in (len(whole) - 64, 100, 20, 9):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError):
            MappedArrays(path)


def test_names_of_any_bytes():
    names = ["a", "", "ä/ü.wav", "n\n1", "\udcff\udcfe.wav", "x" * 300]
    many = Names.of(names)
    assert list(many) == names and many == names and many != names[:-1] and names[2] in many
    assert many[-1] == names[-1] and many[1:3] == names[1:3] and many + names == names + names
    assert many.take(np.array([4, 0])).take(np.array([1]))[0] == "a"
    with pytest.raises(IndexError):
        many[len(names)]
