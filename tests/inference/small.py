"""A small untrained enhancer, and a yaml that makes one."""

import torch

from sb_resizegan.inference import GenerativeEnhancement
from sb_resizegan.models.spectral_generator import SpectralGenerator

GENERATOR = """\
generator: !new:sb_resizegan.models.spectral_generator.SpectralGenerator
    channels: 8
    time_units: 16
    band_units: 8
    blocks: 1
    latent_dim: 4
"""
EXPORTED = f"""\
task: enhancement
sample_rate: 16000
{GENERATOR}
modules:
    generator: !ref <generator>
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        generator: !ref <generator>
    custom_hooks:
        generator: !name:sb_resizegan.inference.load_weights
"""


def small_generator(seed=0, latent_dim=4, causal=False):
    """As the yaml says, with an output layer that does more than let the speech through."""
    torch.manual_seed(seed)
    generator = SpectralGenerator(8, 16, 8, blocks=1, latent_dim=latent_dim, causal=causal)
    generator.decoder[-1].weight.data *= 3
    return generator


def small_model(generator=None):
    """An enhancer around a generator."""
    generator = small_generator() if generator is None else generator
    return GenerativeEnhancement({"generator": generator}, {"sample_rate": 16000}, run_opts={"device": "cpu"})


def exported_causal(folder, latent_dim=4):
    """Folder of an exported causal model, and the generator in it."""
    generator = small_generator(latent_dim=latent_dim, causal=True)
    folder.mkdir(parents=True, exist_ok=True)
    text = EXPORTED.replace("latent_dim: 4", f"latent_dim: {latent_dim}\n    causal: True")
    (folder / "hyperparams.yaml").write_text(text)
    torch.save(generator.state_dict(), folder / "generator.ckpt")
    return generator
