"""A limited memory forgets in time, and what was within the limit stays as it was."""

import math

import pytest
import torch

from sb_resizegan.models.memory import limit_memory, memory_steps
from sb_resizegan.models.spectral_generator import SpectralGenerator

RATE, HOP = 16000, 256


def make_generator(causal=False):
    torch.manual_seed(0)
    generator = SpectralGenerator(channels=8, time_units=8, band_units=8, blocks=2, causal=causal)
    for parameter in generator.decoder.parameters():  # or the mask would depend on the input too little
        parameter.data *= 10
    return generator


def make_lasting(generator, cell=1, bias=6.0):
    """Makes a cell of the last block remember for many seconds, and take in little, so as not to saturate."""
    lstm = generator.blocks[-1].time_path.recurrent
    lstm.bias_ih_l0.data[cell] -= 5
    lstm.bias_ih_l0.data[lstm.hidden_size + cell] += bias
    lstm.weight_ih_l0.data[2 * lstm.hidden_size + cell] *= 20
    return lstm


def noisy_speech(seconds, seed=0):
    generator = torch.Generator().manual_seed(seed)
    loud = torch.rand(1, seconds, generator=generator).repeat_interleave(RATE, dim=1)
    return loud * torch.randn(1, seconds * RATE, generator=generator)


def test_time_constants_are_those_of_the_gates():
    lstm = torch.nn.LSTM(3, 2, bidirectional=True)
    for parameter in lstm.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        lstm.bias_ih_l0[2:4] = torch.tensor([math.log(9.0), math.log(999.0)])
        lstm.bias_hh_l0_reverse[2:4] = torch.tensor([0.0, math.log(99.0)])
    forwards, backwards = memory_steps(lstm, torch.randn(20, 5, 3))
    torch.testing.assert_close(forwards, -1 / torch.tensor([0.9, 0.999]).log(), rtol=1e-3, atol=0)
    torch.testing.assert_close(backwards, -1 / torch.tensor([0.5, 0.99]).log(), rtol=1e-3, atol=0)


@pytest.mark.parametrize("causal", [False, True])
@torch.no_grad()
def test_what_came_long_ago_is_forgotten(causal):
    noisy = noisy_speech(20)
    other = noisy.clone()
    other[:, : 2 * RATE] = noisy_speech(2, seed=1)  # another beginning

    def remembered(generator):
        latent = generator.sample_latent(1, noisy.shape[1], torch.Generator().manual_seed(0))
        outputs = [generator(x, latent, torch.ones(1))[:, 12 * RATE :] for x in (noisy, other)]
        return 10 * math.log10((outputs[0] - outputs[1]).square().mean() / outputs[0].square().mean())

    generator = make_generator(causal)
    make_lasting(generator)
    before = remembered(generator)
    assert limit_memory(generator, noisy, seconds=1.0) == 1
    # Ten seconds are ten time constants: what a cell holds has fallen by 87 dB, before it was by 15 at most.
    assert remembered(generator) < before - 40


def test_cells_within_the_limit_stay_as_they_are():
    generator = make_generator()
    lstm = make_lasting(generator)
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    assert limit_memory(generator, noisy_speech(4), seconds=1.0) == 1
    name = "blocks.1.time_path.recurrent.bias_ih_l0"
    changed = [key for key, value in generator.state_dict().items() if not torch.equal(value, before[key])]
    assert changed == [name]
    difference = generator.state_dict()[name] - before[name]
    assert difference.nonzero().flatten().tolist() == [lstm.hidden_size + 1]
    inputs = []
    hook = lstm.register_forward_pre_hook(lambda module, arguments: inputs.append(arguments[0]))
    with torch.no_grad():
        random = torch.Generator().manual_seed(0)
        generator(noisy_speech(4), generator.sample_latent(1, 4 * RATE, random))
    hook.remove()
    longest = max(float(steps.max()) for steps in memory_steps(lstm, inputs[0]))
    assert longest * HOP / RATE == pytest.approx(1.0, rel=0.02)


def test_limits_out_of_range_are_named():
    generator = make_generator()
    for seconds in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="seconds"):
            limit_memory(generator, noisy_speech(1), seconds)
