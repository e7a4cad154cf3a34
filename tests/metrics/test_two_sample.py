"""The classifier test: scikit-learn's area, chance for equal sets, certainty for planted defects."""

import math

import pytest
import torch
from sklearn.metrics import roc_auc_score

from sb_resizegan.metrics.two_sample import area_under_curve, classifier_two_sample


def test_area_agrees_with_scikit_learn():
    rng = torch.Generator().manual_seed(0)
    positive = torch.randint(0, 20, (80,), generator=rng).float() + 3  # with ties
    negative = torch.randint(0, 20, (50,), generator=rng).float()
    labels = [1] * len(positive) + [0] * len(negative)
    expected = roc_auc_score(labels, torch.cat([positive, negative]).tolist())
    assert area_under_curve(positive, negative).value == pytest.approx(expected, abs=1e-12)


def test_interval_covers_the_true_area_as_often_as_it_says():
    # Unit normals one apart have an area of Phi(1 / sqrt(2)).
    true = 0.5 * (1 + math.erf(0.5))
    rng = torch.Generator().manual_seed(1)
    draws = torch.randn(400, 2, 60, generator=rng)
    hits = 0
    for positive, negative in draws:
        low, high = area_under_curve(positive + 1, negative).interval
        hits += low <= true <= high
    assert 0.91 <= hits / len(draws) <= 0.99


def test_speech_of_other_files_is_near_chance_and_noise_in_place_of_voicing_is_found(
    real_windows, training_windows
):
    few = 320
    floor = classifier_two_sample(training_windows[:few], real_windows[:few], folds=3, epochs=4)
    assert floor.value < 0.65
    # The same magnitude spectrum of each whole window with phases of noise: the level and the long-term
    # spectrum of speech, without its pulses.
    rng = torch.Generator().manual_seed(2)
    spectrum = torch.fft.rfft(training_windows[:few])
    phase = 2 * math.pi * torch.rand(spectrum.shape, generator=rng)
    scrambled = torch.fft.irfft(torch.polar(spectrum.abs(), phase), training_windows.shape[1])
    found = classifier_two_sample(scrambled, real_windows[:few], folds=3, epochs=4)
    assert found.value > floor.value + 0.1
    whispered = torch.randn(few, 2048, generator=rng) * real_windows[:few].std(dim=1, keepdim=True)
    assert classifier_two_sample(whispered, real_windows[:few], folds=3, epochs=4).value > 0.99


def test_it_repeats_and_leaves_the_random_state_alone(real_windows, training_windows):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = classifier_two_sample(training_windows[:40], real_windows[:40], folds=2, epochs=1)
    assert torch.equal(torch.rand(3), expected)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        again = classifier_two_sample(training_windows[:40], real_windows[:40], folds=2, epochs=1)
    assert first == again


@pytest.mark.parametrize(("count", "folds"), [(9, 5), (40, 1)])
def test_too_few_windows_or_folds(count, folds):
    with pytest.raises(ValueError, match="folds"):
        classifier_two_sample(torch.randn(count, 2048), torch.randn(count, 2048), folds=folds)


def test_windows_of_unequal_length():
    with pytest.raises(ValueError, match="expected windows of 2048 samples, but got 4096"):
        classifier_two_sample(torch.randn(40, 2048), torch.randn(40, 4096))
