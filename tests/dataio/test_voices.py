"""Balanced sampling: no voice counts for more than its share, no source for more than its weight."""

import csv

import numpy as np
import pytest
import soundfile

from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.dataio.voices import MissingSpeakersError, balanced, voices_of_list

RATE = 16000
# Seconds of each voice; a source has one or several.
VOICES = {("studio", "ann"): 40, ("studio", "ben"): 10, ("street", "cy"): 5, ("street", "di"): 5}
CLIP_SECONDS = 2.5


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A list of clips of four voices, all of them in one folder."""
    folder = tmp_path_factory.mktemp("voices")
    random = np.random.default_rng(0)
    rows = []
    for (source, speaker), seconds in VOICES.items():
        for number in range(round(seconds / CLIP_SECONDS)):
            name = f"{number:02d}_{speaker}.wav"  # sorted by name, the voices are mixed up
            soundfile.write(folder / name, 0.1 * random.standard_normal(int(CLIP_SECONDS * RATE)), RATE)
            rows.append({"path": name, "speaker": speaker, "source": source})
    with open(folder / "list.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["path", "speaker", "source"])
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def recordings(corpus):
    return Recordings(corpus / "list.csv", cache_folder=corpus / "cache")


def drawn(recordings, count=4000):
    """Share of moments by voice, and the moments."""
    places = (np.arange(count) + 0.5) / count
    moments = [recordings.locate(place) for place in places]
    speakers = [recordings.names[number][3:-4] for number, _ in moments]
    return {name: speakers.count(name) / count for _, name in VOICES}, moments


def test_without_balance_every_second_counts(recordings):
    shares, _ = drawn(recordings)
    assert shares == pytest.approx({"ann": 40 / 60, "ben": 10 / 60, "cy": 5 / 60, "di": 5 / 60}, abs=0.01)


def test_a_voice_counts_for_so_many_seconds_at_most(recordings, corpus):
    shares, _ = drawn(balanced(recordings, [corpus / "list.csv"], most_seconds=10))
    assert shares == pytest.approx({"ann": 1 / 3, "ben": 1 / 3, "cy": 1 / 6, "di": 1 / 6}, abs=0.01)


def test_weights_of_sources(recordings, corpus):
    part = balanced(recordings, [corpus / "list.csv"], 10, {"street": 4})
    shares, _ = drawn(part)
    assert shares == pytest.approx({"ann": 1 / 6, "ben": 1 / 6, "cy": 1 / 3, "di": 1 / 3}, abs=0.01)
    without = balanced(recordings, [corpus / "list.csv"], 10, {"studio": 0})
    assert {name[3:-4] for name in without.names} == {"cy", "di"}


def test_moments_lie_within_their_recordings_and_reach_all_of_them(recordings, corpus):
    part = balanced(recordings, [corpus / "list.csv"], most_seconds=7)
    for numbers, samples in [zip(*drawn(part)[1], strict=True)]:
        assert set(numbers) == set(range(len(part)))
        assert all(
            0 <= sample < part.lengths[number] for number, sample in zip(numbers, samples, strict=True)
        )
    for place in (0.0, np.nextafter(1.0, 0.0)):
        number, sample = part.locate(place)
        assert 0 <= sample < part.lengths[number]


def test_neighbours_are_of_the_same_voice(recordings, corpus):
    part = balanced(recordings, [corpus / "list.csv"])
    for number, name in enumerate(part.names):
        for place in (0.0, 0.4, 0.999):
            other = part.names[part.neighbour(number, place)]
            assert other[3:] == name[3:] and other != name
    assert part.is_same_voice(0, part.neighbour(0, 0.5))


def test_samples_stay_those_of_their_name(recordings, corpus):
    part = balanced(recordings, [corpus / "list.csv"])
    for number in (0, len(part) - 1):
        original = recordings.names.index(part.names[number])
        assert np.array_equal(part.read(number), recordings.read(original))


def test_splits_keep_the_balance(recordings, corpus):
    train, valid = balanced(recordings, [corpus / "list.csv"], most_seconds=10).split(0.3, seed=1)
    assert not set(train.names) & set(valid.names)
    shares, _ = drawn(train)
    assert shares["ann"] < 0.5


def test_equal_weights_change_nothing(recordings):
    part = recordings.weighted(np.ones(len(recordings)))
    assert [part.locate(place) for place in np.linspace(0, 0.999, 99)] == [
        recordings.locate(place) for place in np.linspace(0, 0.999, 99)
    ]


def test_a_list_without_speakers(recordings, tmp_path):
    bare = tmp_path / "bare.csv"
    bare.write_text("path,seconds\na.wav,1\n")
    with pytest.raises(MissingSpeakersError, match="expects the columns 'path' and 'speaker'"):
        balanced(recordings, [bare])
    bare.write_text("path,speaker\na.wav,ann\nb.wav,\n")
    with pytest.raises(MissingSpeakersError, match=r"expected a speaker .* but 'b.wav' has none"):
        voices_of_list(bare)


def test_weights_that_cannot_be(recordings, corpus):
    lists = [corpus / "list.csv"]
    with pytest.raises(ValueError, match="weights sum to zero"):
        balanced(recordings, lists, source_weights={"studio": 0, "street": 0})
    with pytest.raises(ValueError, match=r"expected sources among \['street', 'studio'\], but got 'studoi'"):
        balanced(recordings, lists, source_weights={"studoi": 1})
    with pytest.raises(ValueError, match="finite numbers of at least 0"):
        balanced(recordings, lists, source_weights={"studio": -1})
    with pytest.raises(ValueError, match="most_seconds: expected a number above 0"):
        balanced(recordings, lists, most_seconds=0)
    with pytest.raises(ValueError, match="weights: expected one for each of 24 recordings, got 2"):
        recordings.weighted([1, 2])
