"""The map of measures: it knows what is measured, and says rightly which values are better."""

import math

import numpy as np
import pytest
import soundfile
import torch

from sb_resizegan.evaluation.scoring_options import columns_of, installed_scores
from sb_resizegan.losses.enhancement_objective import TERMS, EnhancementObjective
from sb_resizegan.metrics.measures import MEASURES, direction, measure_of, noisy_column, reference_column
from sb_resizegan.metrics.pesq import pesq
from sb_resizegan.metrics.speech_scores import SCORES, score_pair
from sb_resizegan.metrics.summary import measure_windows


def test_scores_rise_and_fall_as_the_map_says(speech_files):
    """The same speech with much and with little noise, scored in every way that is installed."""
    clean = soundfile.read(speech_files[0], dtype="float32")[0][16000:64000]
    noise = np.random.default_rng(0).standard_normal(len(clean)).astype(np.float32)
    noise *= np.sqrt(np.mean(clean**2) / np.mean(noise**2))
    names = [name for name in installed_scores() if not SCORES[name].needs_noisy]
    assert {"si_sdr", "intelligibility"} <= set(names)
    found = []
    for gain in (1.0, 0.03):
        figures = score_pair(clean, clean + gain * noise, names).figures
        figures["pesq_wb"] = float(pesq(*(torch.from_numpy(x)[None] for x in (clean, clean + gain * noise))))
        found.append(figures)
    much, little = found
    assert sorted(much) == sorted(columns_of(names))
    for column in much:
        sign = {"higher": 1, "lower": -1}[direction(column)]
        assert sign * (little[column] - much[column]) > 0, column


def test_terms_of_the_objective_are_better_lower():
    """Speech that is partly replaced by noise, and hardly."""
    rng = torch.Generator().manual_seed(0)
    clean, noise = 0.1 * torch.randn(2, 1, 16000, generator=rng)
    objective, lengths = EnhancementObjective(**dict.fromkeys(TERMS, 1.0)), torch.ones(1)
    (much, terms), (little, fewer) = (
        objective((1 - share) * clean + share * noise, clean, lengths) for share in (0.7, 0.1)
    )
    assert set(terms) == set(TERMS.values())
    for name, worse, better in [("objective", much, little), *((n, terms[n], fewer[n]) for n in terms)]:
        assert direction(name) == "lower" and name in MEASURES
        assert better < worse, name


def test_measures_of_windows_get_worse_by_planted_defects(real_windows):
    """Windows with tones at the stages' rates and noise beyond the band, beside the windows as they were."""
    time = torch.arange(2048)
    tones = sum(torch.cos(2 * torch.pi * f / 16000 * time) for f in (250, 1000, 4000))
    defects = 0.05 * tones + 0.1 * torch.randn(128, 2048, generator=torch.Generator().manual_seed(0))
    arguments = {"factors": [4, 4, 4, 4], "cutoff_hz": 1800.0}
    real, reference = real_windows[:128], real_windows[128:384]
    good = measure_windows(real, reference, **arguments)
    bad = measure_windows(real + defects, reference, **arguments)
    for column in good:
        measure, of = measure_of(column)
        assert measure in MEASURES.values() or column.startswith("prominence_"), column
        assert not column.endswith("_db") or measure.unit == "dB"
        if of:  # of real speech: the same for both
            assert good[column] == pytest.approx(bad[column])
        elif measure.direction and column != "precision":  # which is 1 for all that lies among the outliers
            sign = {"higher": 1, "lower": -1}[measure.direction]
            assert sign * (good[column] - bad[column]) > 0, column


@pytest.mark.parametrize("column", [*MEASURES, "prominence_250hz_db", "something_else_db"])
def test_what_a_measure_was_taken_of_changes_nothing_else(column):
    assert measure_of(noisy_column(column)) == (measure_of(column)[0], "noisy")
    of = "real" if column.endswith("_db") else "real against real"
    assert measure_of(reference_column(column)) == (measure_of(column)[0], of)


def test_labels_are_of_one_measure_each():
    labels = [measure.label for measure in MEASURES.values()]
    assert len(set(labels)) == len(labels)
    assert all(measure.places >= 0 for measure in MEASURES.values())
    assert math.isnan(score_pair(np.zeros(9), np.zeros(9), ["si_sdr"]).figures["si_sdr_db"])
