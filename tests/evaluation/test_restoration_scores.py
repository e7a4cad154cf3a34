"""Scores of restorers under each degradation: the rows there are, and that figures say what they should."""

import math

import pytest
import torch

from sb_resizegan.augment.degradations import RANGES, Degradations
from sb_resizegan.augment.degraded_speech import DegradedSpeech
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.evaluation.restoration_scores import (
    STRENGTHS,
    RestorationOptions,
    degraded_at,
    score_restoration,
)
from sb_resizegan.evaluation.scoring_options import ScoringOptions

RATE = 16000
QUICK = RestorationOptions(count=2, num_samples=4, scoring=ScoringOptions(scores=("si_sdr",), jobs=0))


@pytest.fixture(scope="module")
def source(small_corpus, tmp_path_factory):
    recordings = Recordings(small_corpus, RATE, cache_folder=tmp_path_factory.mktemp("cache"))
    return DegradedSpeech(
        recordings, degradations=Degradations(packet_loss=(0.1, 0.1)), segment_samples=2 * RATE
    )


def noisy_guess(copies):
    """Puts noise of its own into what is exactly zero, and leaves the rest alone."""
    noise = 0.02 * torch.randn(copies.shape, generator=torch.Generator().manual_seed(1))
    return torch.where(copies == 0, noise, copies)


def test_there_is_a_row_for_each_system_strength_and_degradation(source):
    systems = {"regression": lambda copies: copies / 2, "restorer": noisy_guess}
    rows = list(score_restoration(source, systems, {"packet_loss": (0.1, 0.3), "mu_law_bits": (4,)}, QUICK))
    assert [row.system for row in rows] == [
        *(2 * ["input", "repetition", "regression", "restorer"]), "input", "regression", "restorer",
    ]  # fmt: skip
    assert [row.strength for row in rows[::4]] == [0.1, 0.3, 4]
    assert all(math.isfinite(row.figures["pesq_wb"]) for row in rows)


def test_spread_is_measured_where_packets_were_lost_and_of_draws_alone(source):
    systems = {"regression": lambda copies: copies, "restorer": noisy_guess}
    rows = {
        row.system: row.figures for row in score_restoration(source, systems, {"packet_loss": (0.3,)}, QUICK)
    }
    assert rows["restorer"]["spread_lost_db"] > -10
    # Single samples of the speech are zero, too.
    assert rows["restorer"]["spread_kept_db"] < rows["restorer"]["spread_lost_db"] - 20
    assert 0 < rows["restorer"]["covered"] <= 1 and rows["restorer"]["covered_nominal"] == 0.6
    assert not {"spread_lost_db", "covered"} & set(rows["regression"])
    # What was kept is whole.
    assert rows["input"]["kept_distance_db"] < 0.01 * rows["input"]["lost_distance_db"]


def test_repetition_beats_silence(source):
    rows = {row.system: row.figures for row in score_restoration(source, {}, {"packet_loss": (0.2,)}, QUICK)}
    assert rows["repetition"]["pesq_wb"] > rows["input"]["pesq_wb"]
    assert rows["repetition"]["lost_distance_db"] < rows["input"]["lost_distance_db"]


@pytest.mark.parametrize("name", STRENGTHS)
def test_the_stronger_the_more_is_lost(source, name):
    least, most, _ = RANGES[name]
    shares = [float(degraded_at(source, name, s, 2, seed=0).lost.mean()) for s in STRENGTHS[name]]
    assert shares == sorted(shares) and shares[0] < shares[-1]
    assert all(least <= strength <= most for strength in STRENGTHS[name])


def test_every_degradation_gets_the_same_speech(source):
    loss, bits = (
        degraded_at(source, name, s, 2, seed=0) for name, s in (("packet_loss", 0.1), ("mu_law_bits", 8))
    )
    assert torch.equal(loss.clean, bits.clean)


def test_what_cannot_be_is_named(source):
    with pytest.raises(ValueError, match="systems: expected names other than input and repetition"):
        list(score_restoration(source, {"input": noisy_guess}, {}))
    with pytest.raises(ValueError, match=r"expected draws of shape \(4, 32000\)"):
        list(score_restoration(source, {"half": lambda x: x[:, ::2]}, {"mu_law_bits": (8,)}, QUICK))
    with pytest.raises(ValueError, match="num_samples of at least 2"):
        RestorationOptions(num_samples=1)
