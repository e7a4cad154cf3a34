"""Two folders matched by names, whatever they are called."""

import pickle

import numpy as np

from sb_resizegan.evaluation.matched_folders import FolderOfSound, MatchedFolders


def make(folder, *names):
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (1 + number))


def test_pairs_problems_and_parts(tmp_path):
    make(
        tmp_path / "clean", "a.wav", "deep/b.flac", "deep/b.wav", "c.d.wav", "only.wav", "notes.txt", "s.m4a"
    )
    make(tmp_path / "noisy", "a.ogg", "deep/b.wav", "c.d.wav", "c.wav", "stranger.wav")
    matched = pickle.loads(pickle.dumps(MatchedFolders(tmp_path / "clean", tmp_path / "noisy")))
    assert [matched[n] for n in range(len(matched))] == [
        ("a", tmp_path / "clean" / "a.wav", tmp_path / "noisy" / "a.ogg"),
        ("c.d", tmp_path / "clean" / "c.d.wav", tmp_path / "noisy" / "c.d.wav"),
        ("deep/b", tmp_path / "clean" / "deep" / "b.flac", tmp_path / "noisy" / "deep" / "b.wav"),
    ]
    problems = "\n".join(matched.problems)
    assert len(matched.problems) == 5
    for words in (
        "deep/b.wav: same name as b.flac, left out",
        "s.m4a: unreadable format, left out",
        "only.wav: no partner among the degraded files",
        "noisy/c.wav: no partner among the references",
        "stranger.wav: no partner among the references",
    ):
        assert words in problems
    # The largest first: deep/b.flac was written second, c.d.wav fourth.
    assert [part.tolist() for part in matched.alike(2)] == [[1, 2], [0]]
    assert FolderOfSound(tmp_path / "noisy").find("c") == tmp_path / "noisy" / "c.wav"
    assert FolderOfSound(tmp_path / "noisy").find("nothing") is None


def test_names_that_share_a_digest_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr("sb_resizegan.evaluation.matched_folders._digest", lambda stem: len(stem))
    names = [f"{n:03}" for n in range(20)]
    make(tmp_path / "clean", *(f"{name}.wav" for name in names), "007.flac")
    make(tmp_path / "noisy", *(f"{name}.flac" for name in names[::2]))
    matched = MatchedFolders(tmp_path / "clean", tmp_path / "noisy")
    assert [matched[n][0] for n in range(len(matched))] == names[::2]
    assert sum("no partner" in line for line in matched.problems) == 10
    assert sum("same name as 007.flac" in line for line in matched.problems) == 1
    assert isinstance(matched.alike(3)[0], np.ndarray)
