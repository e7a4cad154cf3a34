"""What is called deleted, held against signals of which it is known."""

import numpy as np
import pytest

from sb_resizegan.metrics.deletion import BANDS_HZ, deletion_key, speech_deletion

RATE = 16000


def _tone(hertz, level_db=0.0):
    # Frequencies on a bin: a Hann window spreads them over two bins to each side and no further.
    return 10 ** (level_db / 20) * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)


def _noise(level_db, seed=0):
    return 10 ** (level_db / 20) * np.random.default_rng(seed).standard_normal(RATE)


def test_one_band_lowered():
    tones = [_tone(hertz) for hertz in (500, 1500, 3000, 6000)]
    clean = sum(tones)
    noisy = clean + _noise(-60)
    enhanced = clean - 0.75 * tones[1]  # 12 dB lower
    assert speech_deletion(clean, noisy, enhanced).deleted == (0.0, 100.0, 0.0, 0.0)


@pytest.mark.parametrize("lowered_db, deleted", [(9.5, 0.0), (10.5, 100.0)])
def test_threshold_is_ten_decibels(lowered_db, deleted):
    clean = _tone(500)
    found = speech_deletion(clean, clean + _noise(-60), 10 ** (-lowered_db / 20) * clean)
    assert found.deleted[0] == deleted


def test_only_where_speech_dominates():
    # At 3 kHz the noise is stronger: that speech is gone there is not held against the enhancer.
    strong, weak = _tone(500), _tone(3000, -30)
    clean = strong + weak
    masked = speech_deletion(clean, clean + _tone(3000, -20), strong)
    heard = speech_deletion(clean, clean + _tone(3000, -40), strong)
    assert masked.deleted[0] == 0.0 and np.isnan(masked.deleted[2])
    assert heard.deleted[0] == 0.0 and heard.deleted[2] == 100.0


def test_speech_more_than_40_db_below_the_loudest_bin_does_not_count():
    for level_db, counts in ((-35, True), (-45, False)):
        clean = _tone(500) + _tone(3000, level_db)
        found = speech_deletion(clean, clean + _noise(-120), _tone(500))
        assert (found.deleted[2] == 100.0) == counts


def test_level_changes_nothing():
    clean = _noise(0, 1)
    noisy, enhanced = clean + _noise(-5, 2), 0.5 * clean + _noise(-20, 3)
    loud, faint = (speech_deletion(*(gain * x for x in (clean, noisy, enhanced))) for gain in (1.0, 1e-3))
    assert loud.deleted == faint.deleted
    assert loud.noise_left_db == pytest.approx(faint.noise_left_db, abs=1e-9)


def test_noise_left_is_the_gain_of_the_noise():
    silent_half = np.arange(RATE) < RATE // 2
    clean, noise = _noise(0, 1) * silent_half, _noise(-10, 2)
    found = speech_deletion(clean, clean + noise, clean + 0.1 * noise)
    assert found.noise_left_db == pytest.approx(-20, abs=1.0)  # where the halves meet, speech is in it


def test_noisy_speech_itself_deletes_hardly_anything_and_leaves_all_noise():
    clean = _noise(0, 1)
    noisy = clean + _noise(-10, 2)
    found = speech_deletion(clean, noisy, noisy)
    # Speech that dominates by a hair can be cancelled by noise of the opposite phase.
    assert max(found.deleted) < 2
    assert found.noise_left_db == pytest.approx(0, abs=1e-9) or np.isnan(found.noise_left_db)


def test_silent_clean_has_no_share():
    found = speech_deletion(np.zeros(RATE), _noise(-20), _noise(-40))
    assert all(np.isnan(share) for share in found.deleted)
    assert found.noise_left_db == pytest.approx(-20, abs=0.5)


def test_wrong_shapes():
    with pytest.raises(ValueError, match="one length"):
        speech_deletion(np.zeros(800), np.zeros(800), np.zeros(801))
    with pytest.raises(ValueError, match="at least a window of 512 samples, but got 100"):
        speech_deletion(*np.zeros((3, 100)))


def test_keys():
    assert [deletion_key(band) for band in BANDS_HZ] == [
        "deleted_0_1khz_percent",
        "deleted_1_2khz_percent",
        "deleted_2_4khz_percent",
        "deleted_4_8khz_percent",
    ]
