"""Which files of trees are taken, and where their results go."""

import pytest

from sb_resizegan.inference.file_trees import find_jobs


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def targets(folder, inputs, output, **options):
    jobs = find_jobs([folder / name for name in inputs], folder / output, **options)
    return {
        job.source.relative_to(folder).as_posix(): job.target.relative_to(folder).as_posix() for job in jobs
    }


def test_trees_keep_their_structure_and_files_their_names(tmp_path):
    make(
        tmp_path,
        "in/a.wav",
        "in/deep/er/b.FLAC",
        "in/notes.txt",
        "in/.c.wav",
        "in/.hidden/d.wav",
        "other/e.bin",
    )
    assert targets(tmp_path, ["in", "other/e.bin"], "out") == {
        "in/a.wav": "out/a.wav",
        "in/deep/er/b.FLAC": "out/deep/er/b.FLAC",
        "other/e.bin": "out/e.bin",
    }


def test_results_within_an_input_folder_are_no_inputs(tmp_path):
    make(tmp_path, "in/a.wav", "in/out/a.wav", "in/out/deep/b.wav", "in/outside/c.wav")
    assert targets(tmp_path, ["in"], "in/out") == {
        "in/a.wav": "in/out/a.wav",
        "in/outside/c.wav": "in/out/outside/c.wav",
    }


def test_inputs_within_the_output_folder_are_inputs(tmp_path):
    make(tmp_path, "data/noisy/a.wav")
    assert targets(tmp_path, ["data/noisy"], "data") == {"data/noisy/a.wav": "data/a.wav"}


def test_an_input_given_twice_is_one(tmp_path):
    make(tmp_path, "in/a.wav")
    assert targets(tmp_path, ["in", "in/a.wav", "in"], "out") == {"in/a.wav": "out/a.wav"}


def test_links_to_one_file_are_files_of_their_own(tmp_path):
    make(tmp_path, "in/a.wav")
    (tmp_path / "in" / "b.wav").symlink_to(tmp_path / "in" / "a.wav")
    assert set(targets(tmp_path, ["in"], "out").values()) == {"out/a.wav", "out/b.wav"}


@pytest.mark.parametrize(
    ("inputs", "output", "options", "message"),
    [
        (["in", "more"], "out", {}, r"in/a.wav and .*more/a.wav would both become .*out/a.wav"),
        (["in"], "in", {}, r"in/a.wav would become .*in/a.wav, which is an input"),
        (["in/a.wav"], "in", {}, "which is an input"),
        (["more"], "more", {"num_samples": 2}, r"more/a.wav would become .*more/a_1.wav, which is an input"),
        (["in", "nowhere"], "out", {}, "nowhere: no such file or folder"),
    ],
)
def test_what_would_overwrite_is_refused(tmp_path, inputs, output, options, message):
    make(tmp_path, "in/a.wav", "more/a.wav", "more/a_1.wav")
    with pytest.raises(ValueError, match=message):
        find_jobs([tmp_path / name for name in inputs], tmp_path / output, **options)


def test_hard_links_in_the_output_folder_are_no_inputs(tmp_path):
    make(tmp_path, "in/a.wav", "out/b.wav")
    (tmp_path / "out" / "a.wav").hardlink_to(tmp_path / "in" / "a.wav")
    assert targets(tmp_path, ["in"], "out") == {"in/a.wav": "out/a.wav"}


def test_a_file_of_many_is_held_in_its_name_and_16_bytes(tmp_path):
    names = [f"in/speaker{n // 10:03}/chapter/{n:06}.wav" for n in range(300)]
    make(tmp_path, *names)
    jobs = find_jobs([tmp_path / "in"], tmp_path / "out")
    assert [job.source for job in jobs] == [tmp_path / name for name in sorted(names)]
    held = jobs.names.nbytes + jobs.owners.nbytes + jobs.sizes.nbytes
    assert held <= sum(len(name) - len("in/") + 16 for name in names)
    make(tmp_path, "in/large.wav")
    (tmp_path / "in" / "large.wav").write_bytes(b"x" * 100)
    jobs = find_jobs([tmp_path / "in"], tmp_path / "out")
    assert jobs[int(jobs.largest_first()[0])].source.name == "large.wav"
