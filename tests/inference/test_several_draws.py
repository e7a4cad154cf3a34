"""Several draws for one recording: numbers, rules of reduction, confidence, and what is refused."""

import numpy as np
import pytest
import soundfile
import torch

from sb_resizegan.inference import GenerativeEnhancement
from sb_resizegan.inference.several_draws import best_draw, confidence_of, draw_distances, reduced
from sb_resizegan.models import RestoringGenerator
from tests.inference.small import small_generator, small_model

RATE = 16000


@pytest.fixture(scope="module")
def restorer():
    torch.manual_seed(0)
    sizes = {"channels": 8, "time_units": 8, "band_units": 8}
    return small_model(RestoringGenerator({**sizes, "blocks": 1}, **sizes))


@pytest.fixture
def noisy():
    return 0.1 * torch.randn(2, 12000, generator=torch.Generator().manual_seed(1))


def test_the_mean_is_the_mean_and_the_best_is_one_of_them(restorer, noisy):
    draws = restorer.enhance_batch(noisy, num_samples=5)
    mean = restorer.enhance_batch(noisy, num_samples=5, reduce="mean")
    best = restorer.enhance_batch(noisy, num_samples=5, reduce="best")
    assert torch.allclose(mean, draws.mean(0), atol=1e-6)
    for row in range(2):
        sums = draw_distances(draws[:, row]).sum(1)
        assert torch.equal(best[row], draws[int(sums.argmin()), row])
    assert restorer.enhance_batch(noisy[0], num_samples=5, reduce="best").shape == (12000,)


def test_the_best_is_the_least_peculiar():
    base = torch.randn(12000, generator=torch.Generator().manual_seed(0))
    draws = torch.stack([base + level * torch.randn(12000) for level in (0.5, 0.01, 0.5, 0.5)])
    assert torch.equal(reduced(draws[:, None], "best")[0], draws[1])
    pieces = [[draw[part, None].numpy() for draw in draws] for part in (slice(5120), slice(5120, None))]
    assert best_draw(pieces) == 1 and best_draw([]) == 0


def test_confidence_is_zero_where_draws_agree_and_of_the_right_second():
    agreed = torch.randn(RATE, generator=torch.Generator().manual_seed(0))
    own = torch.randn(6, RATE // 2, generator=torch.Generator().manual_seed(1))
    draws = torch.cat([agreed.expand(6, -1), own], dim=1)[:, None]
    found = confidence_of(draws, RATE)
    assert found.spread_db.shape == (1, 257, 95) and found.per_second.shape == (1, 2)
    assert not found.spread_db[..., :60].any()
    # The magnitude of noise has a standard deviation of 5.6 dB; a frame at the border belongs to the first.
    assert float(found.per_second[0, 1]) == pytest.approx(5.57, abs=0.5)
    assert float(found.per_second[0, 0]) < 1


def test_confidence_comes_beside_the_result_that_there_is_without_it(restorer, noisy):
    plain = restorer.enhance_batch(noisy)
    restored, confidence = restorer.enhance_batch(noisy, confidence=True)
    assert torch.equal(restored, plain) and confidence.spread_db.shape == (2, 257, 48)
    draws, again = restorer.enhance_batch(noisy, num_samples=8, confidence=True)
    assert draws.shape == (8, 2, 12000) and torch.equal(again.spread_db, confidence.spread_db)
    assert float(confidence.per_second.min()) > 0
    single, of_single = restorer.enhance_batch(noisy[0], confidence=True)
    assert single.shape == (12000,) and of_single.spread_db.shape == (257, 48)


@pytest.mark.parametrize("reduce", ["mean", "best"])
def test_a_file_is_reduced_as_a_batch_is_also_in_chunks(restorer, reduce, tmp_path):
    signal = 0.1 * np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)
    soundfile.write(tmp_path / "noisy.wav", signal, RATE, subtype="FLOAT")
    expected = restorer.enhance_batch(torch.from_numpy(signal), num_samples=3, reduce=reduce)
    whole = restorer.enhance_file(tmp_path / "noisy.wav", num_samples=3, reduce=reduce)
    assert torch.allclose(whole, expected, atol=1e-5)
    path = restorer.enhance_to_file(
        tmp_path / "noisy.wav", tmp_path / "out.wav", num_samples=3, reduce=reduce, chunk_seconds=1.0
    )
    assert path == tmp_path / "out.wav" and sorted(p.name for p in tmp_path.iterdir()) == [
        "noisy.wav",
        "out.wav",
    ]
    written = soundfile.read(path, dtype="float32")[0]
    assert len(written) == len(signal)
    # What recurrent layers know of a cut is gone after the context.
    assert np.abs(written - expected.numpy()).max() < 1e-3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"num_samples": 0}, "num_samples: expected at least 1, but got 0"),
        ({"num_samples": 4, "reduce": "median"}, "reduce: expected one of mean, best, but got 'median'"),
        ({"reduce": "mean"}, "num_samples: expected a number of draws beside reduce='mean'"),
    ],
)
def test_wrong_numbers_and_words_are_refused_and_nothing_is_written(restorer, options, said, noisy, tmp_path):
    soundfile.write(tmp_path / "noisy.wav", noisy[0].numpy(), RATE)
    for call in (
        lambda: restorer.enhance_batch(noisy, **options),
        lambda: restorer.enhance_file(tmp_path / "noisy.wav", tmp_path / "out.wav", **options),
        lambda: restorer.enhance_to_file(tmp_path / "noisy.wav", tmp_path / "out.wav", **options),
    ):
        with pytest.raises(ValueError, match=said):
            call()
    assert [path.name for path in tmp_path.iterdir()] == ["noisy.wav"]


def test_confidence_of_one_draw_or_of_a_deterministic_model_is_refused(restorer, noisy):
    with pytest.raises(ValueError, match="num_samples: expected at least 2 for confidence, but got 1"):
        restorer.enhance_batch(noisy, num_samples=1, confidence=True)
    deterministic = small_model(small_generator(latent_dim=0))
    with pytest.raises(ValueError, match="confidence: expected a model with latents"):
        deterministic.enhance_batch(noisy, confidence=True)


def test_all_gap_and_silence_stay_silent_and_nan_is_refused(restorer, tmp_path):
    assert not restorer.enhance_batch(torch.zeros(1, 9000), num_samples=3).any()
    soundfile.write(tmp_path / "gap.wav", np.zeros(9000), RATE)
    assert not restorer.enhance_file(tmp_path / "gap.wav", num_samples=2, reduce="best").any()
    with pytest.raises(ValueError, match="row 0 holds NaN or Inf"):
        restorer.enhance_batch(torch.full((1, 9000), torch.nan), num_samples=2, reduce="mean")
    soundfile.write(tmp_path / "nan.wav", np.full(9000, np.nan), RATE, subtype="FLOAT")
    with pytest.raises(ValueError, match="NaN"):
        restorer.enhance_to_file(tmp_path / "nan.wav", tmp_path / "out.wav", num_samples=2, reduce="mean")
    assert not (tmp_path / "out.wav").exists()


def test_material_at_8_khz_keeps_its_rate_in_a_file_and_has_the_model_s_as_a_waveform(restorer, tmp_path):
    signal = 0.1 * np.random.default_rng(0).standard_normal(8000)
    soundfile.write(tmp_path / "narrow.wav", signal, 8000)
    restored = restorer.enhance_file(tmp_path / "narrow.wav", tmp_path / "out.wav")
    assert restored.shape == (16000,) and soundfile.info(tmp_path / "out.wav").samplerate == 8000


def test_the_interface_is_that_of_every_enhancer(restorer):
    assert isinstance(restorer, GenerativeEnhancement) and restorer.sample_rate == RATE
