"""What PESQ takes and what it turns away."""

import pytest
import torch

from sb_resizegan.metrics.pesq import PesqStatus, pesq, pesq_details

NOISE = torch.randn(2, 9000, generator=torch.Generator().manual_seed(0))


def test_other_sampling_rates_are_turned_away():
    with pytest.raises(ValueError, match="expected sample_rate 16000, but got 8000; resample"):
        pesq(NOISE, NOISE, 8000)


@pytest.mark.parametrize(
    ("lengths", "error", "words"),
    [
        (torch.tensor([9000, 8000]), TypeError, "float tensor of relative lengths"),
        ([1.0, 0.5], TypeError, "got list"),
        (torch.tensor([1.0, 1.5]), ValueError, "from 0 to 1, but got 1.5"),
        (torch.tensor([1.0, -0.5]), ValueError, "from 0 to 1, but got -0.5"),
        (torch.tensor([1.0, torch.nan]), ValueError, "from 0 to 1, but got nan"),
        (torch.tensor([1.0]), ValueError, r"expected shape \(2,\), but got \(1,\)"),
    ],
)
def test_lengths_are_relative_or_refused(lengths, error, words):
    with pytest.raises(error, match=words):
        pesq(NOISE, NOISE, lengths=lengths)


@pytest.mark.parametrize(
    ("reference", "degraded", "error", "words"),
    [
        (NOISE, NOISE[:1], ValueError, "as many references as degraded"),
        (NOISE[None], NOISE[None], ValueError, r"\(batch, time\) or \(time,\)"),
        (NOISE[:0], NOISE[:0], ValueError, "empty batch"),
        (NOISE.numpy(), NOISE, TypeError, "reference: expected a tensor of real samples, but got ndarray"),
        (
            NOISE,
            NOISE + 0j,
            TypeError,
            "degraded: expected a tensor of real samples, but got torch.complex64",
        ),
    ],
)
def test_wrong_signals_are_turned_away(reference, degraded, error, words):
    with pytest.raises(error, match=words):
        pesq(reference, degraded)


def test_one_signal_and_whole_numbers_are_taken():
    whole = (NOISE[0] * 3000).round()
    degraded = (whole + 500 * NOISE[1]).round()
    assert torch.allclose(
        pesq(whole.to(torch.int16), degraded.to(torch.int16)), pesq(whole, degraded), atol=1e-4
    )
    assert pesq(whole, degraded).shape == (1,)


def test_half_precision_and_autocast_do_not_change_the_arithmetic():
    clean, noisy = NOISE[:1].bfloat16(), NOISE[1:].bfloat16()
    expected = pesq(clean.float(), noisy.float())
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(pesq(clean, noisy), expected)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_lengths_cut_the_signals():
    tail = torch.cat([NOISE, 5 * NOISE], 1)
    assert torch.allclose(
        pesq(tail, tail.flip(1), lengths=torch.tensor([0.5, 0.5])), pesq(NOISE, 5 * NOISE.flip(1)), atol=1e-4
    )


def test_no_samples_at_all_is_too_short():
    details = pesq_details(torch.zeros(2, 0), torch.zeros(2, 0))
    assert details.status.tolist() == [PesqStatus.TOO_SHORT] * 2 and torch.isnan(details.mos_lqo).all()


def test_padding_may_hold_anything():
    dirty = torch.cat([NOISE, torch.full((2, 500), torch.nan)], 1)
    lengths = torch.full((2,), 9000 / 9500, dtype=torch.float64)
    assert torch.allclose(
        pesq(dirty, dirty.roll(1, 0), lengths=lengths), pesq(NOISE, NOISE.roll(1, 0)), atol=1e-4
    )
