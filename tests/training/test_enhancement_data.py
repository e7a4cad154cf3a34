"""What is wrong with the data is named before a training begins; voices and sources are balanced."""

import numpy as np
import pytest
import soundfile

from sb_resizegan.augment.responses import UnusableResponsesError
from sb_resizegan.dataio.voices import MissingSpeakersError
from sb_resizegan.training.enhancement_data import MIXING, load_training_data, mixtures

RATE = 16000


@pytest.fixture
def hparams(tmp_path):
    """Two voices, one with four times as much speech; no room."""
    random = np.random.default_rng(0)
    rows = []
    for speaker, count in (("ann", 8), ("ben", 2)):
        for number in range(count):
            name = f"{speaker}{number}.wav"
            soundfile.write(tmp_path / name, 0.1 * random.standard_normal(RATE), RATE)
            rows.append(f"{name},{speaker},{'street' if speaker == 'ben' else 'studio'}")
    (tmp_path / "list.csv").write_text("path,speaker,source\n" + "\n".join(rows))
    (tmp_path / "bare.csv").write_text("path\n" + "\n".join(row.split(",")[0] for row in rows))
    probabilities = dict.fromkeys(MIXING, 0.0)
    return {
        **probabilities,
        "snr_db": (0.0, 10.0),
        "level_db": (-40.0, -15.0),
        "coloured": 1.0,
        "clean": str(tmp_path / "list.csv"),
        "noise": None,
        "rir": None,
        "data_folder": None,
        "valid_data": None,
        "valid_fraction": 0.3,
        "seed": 1,
        "sample_rate": RATE,
        "segment_seconds": 1.0,
        "cache_folder": str(tmp_path / "cache"),
        "balance_minutes": None,
        "source_weights": None,
    }


def write_response(hparams, tmp_path, samples, rate=RATE, gain=1.0):
    response = np.zeros(samples)
    response[10], response[200] = gain, 0.5 * gain
    (tmp_path / "rooms").mkdir()
    soundfile.write(tmp_path / "rooms" / "room.wav", response, rate, subtype="FLOAT")
    soundfile.write(tmp_path / "rooms" / "good.wav", np.eye(1, 4000)[0], RATE, subtype="FLOAT")
    hparams["rir"] = str(tmp_path / "rooms")


def share_of_ann(speech):
    places = np.linspace(0, 0.999, 500)
    return np.mean([speech.names[speech.locate(place)[0]].startswith("ann") for place in places])


def test_voices_are_balanced(hparams):
    assert share_of_ann(mixtures(hparams)[0].clean) > 0.6
    hparams["balance_minutes"] = 1 / 60
    hparams["valid_data"] = "elsewhere"
    assert share_of_ann(mixtures(hparams)[0].clean) == pytest.approx(0.5, abs=0.02)
    hparams["source_weights"] = {"street": 3.0}
    assert share_of_ann(mixtures(hparams)[0].clean) == pytest.approx(0.25, abs=0.02)


def test_lists_without_speakers_and_weights_of_nothing(hparams, tmp_path):
    hparams["source_weights"] = {"street": 0, "studio": 0}
    with pytest.raises(ValueError, match="weights sum to zero"):
        mixtures(hparams)
    hparams["source_weights"], hparams["balance_minutes"] = None, 10
    hparams["clean"] = str(tmp_path / "bare.csv")
    with pytest.raises(MissingSpeakersError, match="expects the columns 'path' and 'speaker'"):
        mixtures(hparams)


def test_a_usable_room(hparams, tmp_path):
    # 30 ms: shorter than any speech may be.
    write_response(hparams, tmp_path, 480)
    hparams["valid_data"] = "elsewhere"
    train, _ = mixtures(hparams)
    assert len(train.rirs) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"samples": 4000, "gain": 0.0}, "1 are silent, such as room.wav"),
        ({"samples": 20000}, r"no longer than a segment of 1 s, but room.wav takes 1.25 s"),
        ({"samples": 2000, "rate": 8000}, "at 16000 Hz or above, but room.wav has 8000 Hz"),
    ],
)
def test_rooms_that_cannot_be_used(hparams, tmp_path, options, words):
    write_response(hparams, tmp_path, **options)
    with pytest.raises(UnusableResponsesError, match=words):
        mixtures(hparams)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.25, 2), (1.0, 8)])
def test_general_mixtures_beside_pairs(hparams, tmp_path, share, expected):
    """Pairs here are a tone of 1 kHz, mixtures are not: each batch shows where it comes from."""
    tone = 0.25 * np.sin(2 * np.pi * np.arange(2 * RATE) / 16)
    for side in ("clean", "noisy"):
        (tmp_path / "mine" / side).mkdir(parents=True)
        for number in range(4):
            soundfile.write(tmp_path / "mine" / side / f"{number}.wav", tone, RATE)
    hparams |= {"data_folder": str(tmp_path / "mine"), "save_folder": str(tmp_path), "general_share": share}
    hparams |= {"valid_fraction": 0.25, "max_memory_gb": 1.0}
    source, utterances = load_training_data(hparams)
    batches = [source.batch(n, 3, seed=0) for n in range(8)]
    change = [(batch.noisy[:, 16:] - batch.noisy[:, :-16]).abs().max() for batch in batches]
    assert sum(bool(value > 1e-3) for value in change) == expected
    assert [len(utterance.noisy) for utterance in utterances] == [2 * RATE]  # validated on pairs alone
