"""The fixed low-pass: what it passes, what it stops, and that it has no edges."""

import math

import pytest
import torch

from sb_resizegan.dataio.resampling import low_pass
from sb_resizegan.nnet.band_limit import BandLimit


def tone(frequency, samples):
    return torch.sin(2 * math.pi * frequency / 16000 * torch.arange(samples)).unsqueeze(0)


def test_passes_the_band_without_delay_and_stops_the_rest():
    layer = BandLimit(1650.0, 16000)
    samples = 2048 + 2 * layer.margin
    kept = tone(1400.0, samples)
    torch.testing.assert_close(layer(kept), kept[:, layer.margin : -layer.margin], atol=1e-3, rtol=0)
    for frequency in (1820.0, 4000.0, 7900.0):
        assert layer(tone(frequency, samples)).abs().max() < 2e-4


def test_output_is_that_of_the_longer_signal_at_its_place():
    layer = BandLimit(1650.0, 16000)
    signal = torch.randn(2, 5000, generator=torch.Generator().manual_seed(1))
    whole, part = layer(signal), layer(signal[:, 1000:4000])
    torch.testing.assert_close(part, whole[:, 1000 : 1000 + part.shape[1]], atol=1e-5, rtol=0)


@pytest.mark.parametrize("cutoff", [0.0, -5.0, 6000.0, float("nan")])
def test_a_cut_off_that_is_no_band_limit_is_refused(cutoff):
    with pytest.raises(ValueError, match="cutoff_hz: expected"):
        BandLimit(cutoff, 16000)


def test_it_can_be_the_filter_of_the_data():
    noise = torch.randn(1, 8000, generator=torch.Generator().manual_seed(2))
    layer = BandLimit(1500.0, 16000, transition=0.05, stopband_db=60.0)
    expected = torch.from_numpy(low_pass(noise[0].numpy(), 16000, 1500.0))
    found = layer(noise)[0]
    torch.testing.assert_close(found, expected[layer.margin : -layer.margin], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"transition": 0.0}, "transition: expected a share"), ({"stopband_db": 10.0}, "stopband_db: expected")],
)
def test_a_filter_that_is_none_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        BandLimit(1500.0, 16000, **options)
