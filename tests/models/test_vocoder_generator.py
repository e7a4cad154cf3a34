"""The vocoder's generator: lengths, alignment in time, and what it must not depend on."""

import math

import pytest
import torch

from sb_resizegan.metrics.stride_tones import stride_tone_prominence, worst_prominence
from sb_resizegan.models.vocoder_blocks import ConditionalNorm, InverseSpectra
from sb_resizegan.models.vocoder_generator import VocoderGenerator
from sb_resizegan.nnet.mel_analysis import MelAnalysis
from sb_resizegan.nnet.upsampling import UPSAMPLING_MODES

SMALL = {"channels": (12, 8, 8), "dilations": (1, 3)}
STACK = {"head": "waveform", "channels": (12, 8, 8, 4, 4), "factors": (4, 4, 4, 4)}
VARIANTS = [
    SMALL,
    {**SMALL, "features": "mel"},
    {**SMALL, "latent_dim": 4},
    {**SMALL, "activation": "snake", "dilations": (1,)},
    STACK,
    {**STACK, "features": "mel", "latent_dim": 4},
]


def noise_mel(frames, batch=1):
    return MelAnalysis()(0.1 * torch.randn(batch, 256 * frames + 1024), centred=False)[:, :, :frames]


@pytest.mark.parametrize("upsampling", UPSAMPLING_MODES)
@pytest.mark.parametrize("settings", [SMALL, STACK])
def test_any_length_in_every_mode(upsampling, settings):
    generator = VocoderGenerator(upsampling=upsampling, **settings)
    for frames in (1, 2, 7):
        assert generator(noise_mel(frames, batch=2)).shape == (2, 256 * frames)


@pytest.mark.parametrize("settings", VARIANTS)
def test_chunks_are_as_within_the_whole(settings):
    generator = VocoderGenerator(**settings)
    mel, latent = noise_mel(150, batch=2), generator.sample_latent(2)
    whole = generator(mel, latent)
    chunked = generator.in_chunks(mel, latent, frames=37)
    torch.testing.assert_close(chunked, whole, rtol=0, atol=2e-5 * max(1.0, float(whole.abs().max())))
    generator.context_frames = 1
    assert (generator.in_chunks(mel, latent, frames=37) - whole).abs().max() > 1e-3


@pytest.mark.parametrize("upsampling", UPSAMPLING_MODES)
@pytest.mark.parametrize("settings", [SMALL, {**STACK, "activation": "snake"}])
def test_no_sample_depends_on_more_than_the_context(upsampling, settings):
    generator = VocoderGenerator(upsampling=upsampling, **settings)
    mel = noise_mel(2 * generator.context_frames + 9).requires_grad_()
    middle = generator.context_frames + 4
    generator(mel)[0, 256 * middle - 128 : 256 * middle + 128].square().sum().backward()
    support = mel.grad[0].abs().amax(dim=0).nonzero().squeeze(1)
    assert support.min() >= middle - generator.context_frames
    assert support.max() <= middle + generator.context_frames
    assert middle in support


@pytest.mark.parametrize("settings", VARIANTS)
def test_an_utterance_sounds_alike_in_any_batch(settings):
    generator = VocoderGenerator(**settings)
    mel, latent = noise_mel(12, batch=3), generator.sample_latent(3)
    alone = torch.cat([generator(mel[i : i + 1], latent[i : i + 1]) for i in range(3)])
    together = generator(mel, latent)
    torch.testing.assert_close(together, alone, rtol=0, atol=2e-5 * max(1.0, float(together.abs().max())))


@pytest.mark.parametrize("settings", VARIANTS)
def test_all_weights_get_gradients(settings):
    generator = VocoderGenerator(**settings)
    generator(noise_mel(12, batch=2), generator.sample_latent(2)).square().sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad.abs().max() > 0, name


def test_a_latent_changes_the_waveform_and_the_middle_is_the_default():
    generator = VocoderGenerator(latent_dim=4, **SMALL)
    mel = noise_mel(8, batch=2)
    assert torch.equal(generator(mel), generator(mel, torch.zeros(2, 4)))
    assert (generator(mel) - generator(mel, torch.ones(2, 4))).abs().max() > 1e-4


def test_an_untrained_stack_has_tones_of_transposed_convolutions_alone():
    mel = noise_mel(240, batch=2)
    worst = {}
    for mode in UPSAMPLING_MODES:
        torch.manual_seed(0)
        generator = VocoderGenerator(**STACK, upsampling=mode, features="mel")
        with torch.no_grad():
            worst[mode] = worst_prominence(stride_tone_prominence(generator(mel), generator.factors))
    assert worst.pop("transpose") > max(worst.values()) + 15
    assert max(worst["linear"], worst["sinc"]) < 6


def test_a_burst_stays_where_its_frames_are():
    """The level of an untrained generator follows the pseudo-inverse, and not a hop late."""
    generator = VocoderGenerator(**SMALL, upsampling="nearest")
    time = 40 * 256
    burst = torch.exp(-0.5 * ((torch.arange(time) - 20 * 256.0) / 300) ** 2) * torch.randn(time)
    generated = generator(MelAnalysis()(burst[None]))[0, :time].detach()

    def centre(x):
        return float((torch.arange(time) * x.square()).sum() / x.square().sum())

    assert centre(generated) == pytest.approx(centre(burst), abs=100)


def test_the_pseudo_inverse_gives_the_spectrum_before_any_training():
    generator = VocoderGenerator(**SMALL)
    time = torch.arange(32000) / 16000
    tone = 0.3 * torch.sin(2 * math.pi * 3000 * time)
    spectrum = torch.fft.rfft(generator(MelAnalysis()(tone[None]))[0, :32000].detach()).abs().square()
    bands = spectrum[:16000].view(64, -1).sum(dim=1)  # of 125 Hz
    assert abs(int(bands.argmax()) - 24) <= 2
    assert bands[20:29].sum() > 0.8 * bands.sum()


def test_spectra_between_frames_of_equal_direction_make_a_sine():
    """A constant direction in one bin is a sine in the middle of it: the carrier is continuous."""
    head = InverseSpectra(1, hop=16)
    with torch.no_grad():
        head.convolution.weight.zero_()
        head.convolution.bias.zero_()
        head.convolution.bias[head.bins + 5] = 1.0
    y = head(torch.zeros(1, 1, 64))[0, 64:-64].detach()
    time = torch.arange(len(y), dtype=torch.float32)
    basis = torch.stack(
        [torch.cos(2 * math.pi * 5 * time / 64), torch.sin(2 * math.pi * 5 * time / 64)], dim=1
    )
    fitted = basis @ torch.linalg.lstsq(basis, y[:, None]).solution
    assert y.abs().max() > 1e-3
    torch.testing.assert_close(fitted[:, 0], y, rtol=0, atol=1e-5)


def test_the_conditional_norm_does_not_know_levels_or_neighbours():
    layer, latent = ConditionalNorm(6, 3), torch.randn(2, 3)
    x = torch.randn(2, 6, 20)
    torch.testing.assert_close(layer(100 * x, latent), layer(x, latent), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(layer(x, latent)[:, :, 5:9], layer(x[:, :, 5:9], latent))


def test_the_default_is_small_enough_to_ship():
    assert sum(parameter.numel() for parameter in VocoderGenerator().parameters()) <= 700_000


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": (8, 8)}, r"one entry more than factors.*\(8, 8\)"),
        ({"factors": (4, 4, 8), "channels": (8,) * 4}, r"'istft'.*4 that divides 64.*is 128"),
        ({"factors": (3, 2)}, r"'istft'.*multiple of 4.*\[3, 2\], whose product is 6"),
        ({"head": "waveform"}, r"'waveform'.*product of 256, but got \[4, 2\]"),
        ({"head": "wave"}, "head: expected one of waveform, istft, but got 'wave'"),
        ({"features": "log"}, "features: expected one of mel, pseudo_inverse, but got 'log'"),
        ({"activation": "relu"}, "activation: expected one of leaky_relu, snake, but got 'relu'"),
        ({"upsampling": "cubic"}, "transpose.*'cubic'"),
        ({"block_kernel_size": 4}, "block_kernel_size: expected an odd number, but got 4"),
        ({"latent_dim": -1}, "latent_dim: expected at least 0, but got -1"),
        ({"dilations": (1, 0)}, "dilations: expected at least 1, but got 0"),
    ],
)
def test_a_generator_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        VocoderGenerator(**settings)


def test_wrong_inputs_are_named():
    generator = VocoderGenerator(**SMALL, latent_dim=4)
    for shape in ((80, 10), (1, 64, 10), (1, 80, 0)):
        with pytest.raises(ValueError, match=r"mel: expected shape \(batch, 80, frames\)"):
            generator(torch.zeros(shape))
    with pytest.raises(ValueError, match=r"latent: expected shape \(1, 4\), but got \(1, 5\)"):
        generator(torch.zeros(1, 80, 2), torch.zeros(1, 5))
