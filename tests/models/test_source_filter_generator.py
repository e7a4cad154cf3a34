"""The source-filter vocoder: its sources, and what it makes of a mel spectrum before any training."""

import math

import pytest
import torch

from sb_resizegan.metrics.periodicity import periodicity_tracks
from sb_resizegan.metrics.stride_tones import stride_tone_prominence, worst_prominence
from sb_resizegan.models.excitation import NoiseTable, frame_phases, pulses
from sb_resizegan.models.source_filter_generator import SourceFilterGenerator
from sb_resizegan.nnet.mel_analysis import MelAnalysis
from sb_resizegan.nnet.upsampling import UPSAMPLING_MODES

SIZES = {"channels": (24, 16, 16), "factors": (2, 2)}


def make(seed=0, **options):
    torch.manual_seed(seed)
    return SourceFilterGenerator(**{**SIZES, **options})


def glide(low, high, frames):
    return torch.linspace(low, high, frames)[None]


def test_pulses_have_harmonics_of_one_level_and_nothing_between():
    f0 = torch.full((1, 251), 250.0)
    signal, _ = pulses(f0, frame_phases(f0, 64, 16000), 64, 16000)
    power = torch.fft.rfft(signal[0, :16000].double()).abs().square()  # bins of 1 Hz
    harmonics = power[250:7501:250]
    assert harmonics.max() < 1.001 * harmonics.min()
    assert power.sum() - power[::250].sum() < 1e-6 * power.sum()


def test_gliding_pulses_have_unit_power_and_no_aliases():
    f0 = glide(100.0, 400.0, 501)
    signal, phase = pulses(f0, frame_phases(f0, 64, 16000), 64, 16000)
    assert 0.97 < signal.square().mean() < 1.03
    # Pulses are where the phase passes 0.
    at = (phase[0, 1:].abs() < 0.003).nonzero().squeeze(1) + 1
    assert signal[0, at].mean() > 4
    spectra = torch.stft(signal, 1024, 256, window=torch.hann_window(1024), return_complex=True)
    power = spectra.abs().square().mean(dim=2)[0]
    assert power[507:].mean() < 2e-3 * power[20:460].mean()  # above 0.47 of the rate


def test_the_phase_of_an_hour_is_that_of_its_frames():
    f0 = torch.full((1, 225_000), 123.4)
    expected = (torch.arange(225_000, dtype=torch.float64) * 123.4 * 256 / 16000) % 1
    gap = (frame_phases(f0, 256, 16000)[0] - expected + 0.5) % 1 - 0.5
    assert gap.abs().max() < 1e-3 * 225_000 * 256 / 16000 * 1e-2  # what float32 leaves of 123.4 Hz


def test_noise_is_white_and_goes_round_without_a_seam():
    table = NoiseTable()
    noise = table(torch.tensor([0, 100]), 0, 4096)
    assert torch.equal(noise[0, 100:], noise[1, :-100])
    whole = table(torch.tensor([0]), 0, 1 << 17)[0]
    assert 0.98 < whole.var() < 1.02 and abs(float(whole.mean())) < 0.01
    around = table(torch.tensor([(1 << 17) - 5]), 0, 10)[0]
    assert torch.equal(around, torch.cat([whole[-5:], whole[:5]]))


@pytest.mark.parametrize("mode", UPSAMPLING_MODES)
def test_a_chunk_is_the_same_as_in_the_whole(mode):
    generator = make(upsampling=mode)
    mel = MelAnalysis()(0.1 * torch.randn(2, 40000, generator=torch.Generator().manual_seed(2)))
    latent = torch.tensor([[0.3], [-1.0]])
    whole, parts = generator(mel, latent), generator.in_chunks(mel, latent, frames=17)
    assert (whole - parts).abs().max() < 1e-3 * whole.abs().max()


def test_an_utterance_is_the_same_in_any_batch():
    generator, mel = make(), torch.randn(3, 80, 20, generator=torch.Generator().manual_seed(3)) - 4
    torch.testing.assert_close(generator(mel)[1:2], generator(mel[1:2]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", UPSAMPLING_MODES)
def test_before_training_no_mode_has_stride_tones(mode):
    """The transposed convolution has unequal gains, but they move filters by little and make no samples."""
    noise = 0.1 * torch.randn(2, 256 * 240 + 1024, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        waveforms = make(upsampling=mode)(MelAnalysis()(noise, centred=False))
    worst = worst_prominence(stride_tone_prominence(waveforms, (2, 2, 64)))
    real = worst_prominence(stride_tone_prominence(noise, (2, 2, 64)))
    assert worst < real + (3.0 if mode == "transpose" else 2.0)


def test_before_training_the_copy_has_the_recording_s_bands_and_pitch():
    time = torch.arange(32000) / 16000
    order = torch.arange(1, 30)[:, None]
    tone = 0.05 * (torch.sin(2 * math.pi * order * 150 * time + order.square()) / order).sum(0)[None]
    analysis, generator = MelAnalysis(), make()
    with torch.no_grad():
        copy = generator(analysis(tone))[:, :32000]
    first, second = analysis(tone)[0, :40, 5:-5], analysis(copy)[0, :40, 5:-5]
    # Harmonics of a pitch that is right stand in the same bands; between them there is noise.
    strong = first.mean(1) > first.mean(1).max() - 3.0
    assert (first.mean(1) - second.mean(1))[strong].abs().mean() < 0.35
    strength, f0 = periodicity_tracks(copy)
    voiced = strength[0, 10:-10] > 0.45
    assert voiced.float().mean() > 0.9
    assert (1200 * torch.log2(f0[0, 10:-10][voiced] / 150)).abs().median() < 25


def test_the_latent_number_changes_the_noise_alone():
    generator, mel = make(), torch.full((1, 80, 40), -3.0)
    with torch.no_grad():
        first, second = (generator(mel, torch.tensor([[value]])) for value in (0.0, 1.0))
    assert (first - second).abs().max() > 0.1 * first.abs().max()
    assert abs(float(first.square().mean() / second.square().mean()) - 1) < 0.2


def test_several_draws_of_a_batch_are_those_of_several_calls():
    generator, mel = make(), torch.randn(2, 80, 12, generator=torch.Generator().manual_seed(4)) - 4
    latent = torch.tensor([[0.0], [1.0], [-1.0], [0.5]])
    together = generator(mel, latent)
    apart = torch.cat([generator(mel, latent[:2]), generator(mel, latent[2:])])
    torch.testing.assert_close(together, apart)


def test_every_weight_has_a_gradient():
    generator = make()
    generator(torch.randn(2, 80, 12)).square().mean().backward()
    without = [name for name, p in generator.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_sizes_that_do_not_fit_are_named():
    for options, words in (
        ({"channels": (8, 8)}, "channels: expected one entry more"),
        ({"factors": (2, 3)}, "factors: at a hop of 256 expected a product"),
        ({"factors": (16, 8)}, "factors: at a hop of 256 expected a product"),
        ({"block_kernel_size": 4}, "block_kernel_size: expected an odd number"),
    ):
        with pytest.raises(ValueError, match=words):
            make(**options)
    generator = make()
    for mel in (torch.zeros(1, 40, 5), torch.zeros(80, 5), torch.zeros(1, 80, 0)):
        with pytest.raises(ValueError, match=r"mel: expected shape \(batch, 80, frames\)"):
            generator(mel)
    with pytest.raises(ValueError, match="latent: expected shape"):
        generator(torch.zeros(2, 80, 5), torch.zeros(3, 1))
