"""Every kind of source yields its files once each; a wrong one is named."""

import pytest

from sb_resizegan.dataio.prepare.sources import find_recordings


@pytest.fixture
def folder(tmp_path):
    for name in ("b/1.wav", "a/2.wav", "a/deep/3.flac", "a/1.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def names(sources, **options):
    return [file.name for file in find_recordings(sources, **options)]


def test_folder_with_all_that_is_below(folder):
    assert names(folder) == ["a/1.wav", "a/2.wav", "a/deep/3.flac", "b/1.wav"]
    assert names(folder, except_folder=folder / "a") == ["b/1.wav"]


def test_list_with_other_columns_and_missing_files(folder):
    (folder / "list.csv").write_text('speaker,path,licence\nx,b/1.wav,"a, b"\ny,a/9.wav,c\n,,\n')
    files = find_recordings(folder / "list.csv")
    assert [(file.path, file.name) for file in files] == [
        (folder / "a/9.wav", "a/9.wav"),
        (folder / "b/1.wav", "b/1.wav"),
    ]


def test_several_sources_count_a_file_once_and_keep_folders_together(folder):
    (folder / "list.csv").write_text("path\nb/1.wav\n")
    sources = [str(folder / "a" / "2.wav"), folder / "list.csv", folder / "a"]
    assert names(sources) == ["2.wav", "1.wav", "b/1.wav", "deep/3.flac"]


def test_default_corpus(corpus_folder):
    files = find_recordings("prompts:en")
    assert len(files) > 300
    assert all(corpus_folder in file.path.parents for file in files)


@pytest.mark.parametrize("source", ["nowhere", "prompt:en", "list.txt"])
def test_unknown_sources_are_named(folder, source):
    (folder / "list.txt").write_text("path\n")
    with pytest.raises(
        FileNotFoundError,
        match=r"expected a folder, a csv list, a wav.scp, cuts.* an audio file, tars or prompts:L",
    ):
        find_recordings(str(folder / source) if source == "list.txt" else source)


@pytest.mark.parametrize("nothing", [[], None, ""])
def test_no_source(nothing):
    with pytest.raises(ValueError, match="sources: expected at least one"):
        find_recordings(nothing)


def test_unknown_language():
    with pytest.raises(ValueError, match="language: expected one of en, es, fr, it, ru, but got 'tlh'"):
        find_recordings("prompts:tlh")


def test_list_without_paths(folder):
    (folder / "list.csv").write_text("file,seconds\na/1.wav,1\n")
    with pytest.raises(
        ValueError, match=r"list\.csv: expected a column 'path' or 'wav', but its columns are"
    ):
        find_recordings(folder / "list.csv")


def test_list_that_is_none(folder):
    (folder / "list.csv").write_bytes(b"path\n\xff\xfe\x00\n")
    with pytest.raises(ValueError, match=r"list\.csv: expected a csv file in UTF-8"):
        find_recordings(folder / "list.csv")
