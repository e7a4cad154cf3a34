"""Settings that have no effect together with others: on a command line, they are mistakes."""

from collections.abc import Collection, Mapping
from typing import Any

from sb_resizegan.augment.degradations import RANGES

__all__ = ["check_idle"]

CRITIC = (
    "adversarial_weight",
    "critic_channels",
    "critic_factors",
    "critic_inputs",
    "critic_kernel_size",
    "critic_learning_rate_factor",
    "downsampling",
    "feature_weight",
    "penalty_interval",
    "penalty_weight",
    "phase_shuffle",
    "shuffle_per_example",
    "spectral_channels",
    "spectral_factors",
    "spectral_max_hz",
    "spectral_scales",
    "window_frames",
    "window_width",
)
WAVEFORM = ("critic_channels", "downsampling", "phase_shuffle", "shuffle_per_example")
SPECTRAL = ("spectral_channels", "spectral_factors", "spectral_max_hz", "spectral_scales")
MIXING = (
    "babble",
    "balance_minutes",
    "band",
    "cache_folder",
    "clipping",
    "codec",
    "coloured",
    "level_db",
    "level_step",
    "narrow_band",
    "reverberation",
    "second_noise",
    "silence",
    "snr_db",
    "source_weights",
    "start_share",
    "switching",
    "talker",
    "tonal",
    "valid_utterances",
)

# Keys, the words that say why they are idle, and when they are.
IDLE = (
    (CRITIC, "critic_steps is 0", lambda values: values["critic_steps"] == 0),
    (SPECTRAL, "critic_inputs is waveform", lambda values: values.get("critic_inputs") == "waveform"),
    (WAVEFORM, "critic_inputs is spectral", lambda values: values.get("critic_inputs") == "spectral"),
    (
        ("energy_bands_hz", "energy_floor_db", "energy_max_hz", "energy_scales"),
        "energy_weight is 0",
        lambda values: values.get("energy_weight") == 0,
    ),
    (("attenuation",), "upsampling is not sinc", lambda values: values.get("upsampling") != "sinc"),
    (
        MIXING,
        "data_folder has pairs, which are not mixed",
        lambda values: (
            values.get("task") != "vocoder"
            and bool(values.get("data_folder"))
            and values.get("clean") is None
        ),
    ),
    (("burst_ms", "concealment"), "packet_loss is null", lambda values: values.get("packet_loss") is None),
    (
        ("several",),
        "there is but one degradation",
        lambda values: sum(values.get(name) is not None for name in RANGES) < 2,
    ),
    (
        ("general_share",),
        "it wants both data_folder and clean",
        lambda values: not values.get("data_folder") or values.get("clean") is None,
    ),
    (("reverberation",), "rir is null", lambda values: values.get("rir") is None),
    (
        ("valid_utterances",),
        "valid_data is given",
        lambda values: values.get("task") != "vocoder" and bool(values.get("valid_data")),
    ),
)


def check_idle(given: Collection[str], values: Mapping[str, Any]) -> None:
    """Raises a ``ValueError`` for a key that is given although it has no effect.

    Arguments
    ---------
    given : collection of str
        Keys on the command line.
    values : dict
        All plain settings.

    Example
    -------
    >>> check_idle(["phase_shuffle"], {"critic_steps": 0, "data_folder": None})
    Traceback (most recent call last):
    ...
    ValueError: phase_shuffle: expected no value, for it has no effect: critic_steps is 0
    """
    for keys, reason, idle in IDLE:
        for key in given:
            if key in keys and idle(values):
                raise ValueError(f"{key}: expected no value, for it has no effect: {reason}")
