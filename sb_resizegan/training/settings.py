"""Types of all settings of the trainings, a line a key. What a yaml says is checked against them.

``RECIPE`` has the keys that a training reads itself, by task, and those that every yaml of the task has to
have; ``OTHERS`` those that only objects of the yaml refer to. A key of somebody's own model need not be here:
its type is that of the argument that it is handed to.
"""

from sb_resizegan.augment.degradations import RANGES
from sb_resizegan.training.typed_values import (
    FLAG,
    choice,
    either,
    list_of,
    mapping_of,
    number,
    optional,
    range_of,
    text,
    whole,
)

__all__ = ["OBJECTS", "OPTIONAL", "OTHERS", "RECIPE", "TASKS"]

TASKS = {
    "windows": "train-gan",
    "enhancement": "train-enhance",
    "restoration": "train-restore",
    "vocoder": "train-vocoder",
}

COUNT = whole(1, 10_000_000)
SIZE = whole(1, 8192)
PROBABILITY = number(0, 1)
RATE = number(0, 10)
WEIGHT = number(0, 1e6, "a weight from 0 to 1000000")
PATH = text("a path")
MODEL = text("an exported model, by folder or name")
SOURCES = optional(
    either("a folder, a list, a file or prompts:LANGUAGE, or several of these", PATH, list_of(PATH, 10_000))
)
WEIGHTS = optional(mapping_of(number(0, 1e6), "a weight by the name of each source, {name: 2.0}"))
FREQUENCY = optional(number(0, 1e6, "a frequency in Hz above 0", open=True))
UPSAMPLING = choice("transpose", "nearest", "linear", "sinc", "subpixel")

_SHARED = {
    "task": choice(*TASKS),
    "seed": whole(0, 2**32 - 1),
    "output_folder": PATH,
    "save_folder": PATH,
    "iterations_per_epoch": COUNT,
    "critic_steps": whole(0, 1000),
    "batch_size": whole(1, 65536),
    "data_folder": optional(PATH),
    "sample_rate": whole(1000, 384_000),
    "valid_fraction": number(0, 1, open=True),
    "max_memory_gb": number(0, 1e6),
    "num_workers": whole(0, 10_000),
    "average_decay": number(0, 1),
    "log_every": COUNT,
    "checkpoint_key": optional(text("the name of a figure")),
}
_OF_PAIRS = ("data_folder", "max_memory_gb", "save_folder")
RECIPE = {
    "windows": {
        **_SHARED,
        "window_samples": whole(16, 2**20),
        "lowpass_hz": FREQUENCY,
        "factors": list_of(whole(1, 1024)),
        "energy_weight": WEIGHT,
        "measured_windows": whole(2, 1_000_000),
        "sample_windows": whole(1, 100_000),
        "cutoff_hz": FREQUENCY,
    },
    "enhancement": {
        **_SHARED,
        "start_share": number(0, 1),
        "num_workers": optional(whole(0, 10_000)),
        "start_from": optional(MODEL),
        "clean": SOURCES,
        "noise": SOURCES,
        "rir": SOURCES,
        "valid_data": optional(PATH),
        "valid_utterances": whole(1, 100_000),
        "test_data": optional(PATH),
        "compare_with": optional(MODEL),
        "cache_folder": optional(PATH),
        "segment_seconds": number(0.5, 600),
        "general_share": number(0, 1),
        "snr_db": range_of(-100, 100),
        "level_db": range_of(-120, 0),
        "babble": PROBABILITY,
        "coloured": PROBABILITY,
        "second_noise": PROBABILITY,
        "reverberation": PROBABILITY,
        "narrow_band": PROBABILITY,
        "tonal": PROBABILITY,
        "talker": PROBABILITY,
        "switching": PROBABILITY,
        "level_step": PROBABILITY,
        "band": PROBABILITY,
        "clipping": PROBABILITY,
        "codec": PROBABILITY,
        "silence": PROBABILITY,
        "balance_minutes": optional(number(0, 1e6, "a number of minutes above 0", open=True)),
        "source_weights": WEIGHTS,
        "critic_learning_rate_factor": number(0, 1e6),
        "adversarial_weight": WEIGHT,
    },
    "vocoder": {
        **{key: kind for key, kind in _SHARED.items() if key != "max_memory_gb"},
        "data_folder": SOURCES,
        "valid_data": SOURCES,
        "valid_utterances": whole(1, 100_000),
        "cache_folder": optional(PATH),
        "start_from": optional(MODEL),
        "segment_frames": whole(2, 100_000),
        "level_db": range_of(-120, 0),
        "balance_minutes": optional(number(0, 1e6, "a number of minutes above 0", open=True)),
        "source_weights": WEIGHTS,
        "critic_learning_rate_factor": number(0, 1e6),
        "adversarial_weight": WEIGHT,
        "feature_weight": WEIGHT,
        "with_anchors": FLAG,
    },
    "restoration": {
        # It has no pairs, and only its checkpointer asks where to save.
        **{key: kind for key, kind in _SHARED.items() if key not in _OF_PAIRS},
        "start_from": optional(MODEL),
        "clean": SOURCES,
        "noise": SOURCES,
        "rir": SOURCES,
        "valid_utterances": whole(1, 100_000),
        "compare_with": optional(MODEL),
        "cache_folder": optional(PATH),
        "segment_seconds": number(0.5, 600),
        "balance_minutes": optional(number(0, 1e6, "a number of minutes above 0", open=True)),
        "source_weights": WEIGHTS,
        **{name: optional(range_of(least, most)) for name, (least, most, _) in RANGES.items()},
        "burst_ms": range_of(20, 2000),
        "concealment": PROBABILITY,
        "several": PROBABILITY,
        "intact": PROBABILITY,
        "level_db": range_of(-120, 0),
        "babble": PROBABILITY,
        "coloured": PROBABILITY,
        "tonal": PROBABILITY,
        "talker": PROBABILITY,
        "second_noise": PROBABILITY,
        "switching": PROBABILITY,
        "critic_learning_rate_factor": number(0, 1e6),
        "adversarial_weight": WEIGHT,
    },
}
# Keys that hold objects, by task.
_SHARED_OBJECTS = (
    "generator",
    "modules",
    "loss",
    "critic_optimizer",
    "generator_optimizer",
    "learning_rate_schedule",
    "epoch_counter",
    "checkpointer",
)
OBJECTS = {
    "windows": (*_SHARED_OBJECTS, "energy_distance"),
    "enhancement": (*_SHARED_OBJECTS, "objective"),
    "vocoder": (*_SHARED_OBJECTS, "objective"),
    "restoration": (*_SHARED_OBJECTS, "objective"),
}
# Objects that a training uses where a yaml has them.
OPTIONAL = ("loggers",)
OTHERS = {
    "number_of_epochs": COUNT,
    "name": text("a name"),
    "save_folder": PATH,
    # Optimisers
    "learning_rate": RATE,
    "final_learning_rate": RATE,
    "adam_betas": list_of(number(0, 1), 2),
    # SpeechBrain's, where a yaml sets them
    "ckpt_interval_minutes": number(0, 1e6),
    "max_grad_norm": number(-1, 1e9),
    "nonfinite_patience": whole(0, 1_000_000),
    # Losses
    "adversarial_loss": choice("wasserstein", "relativistic"),
    "penalty_weight": WEIGHT,
    "penalty_interval": COUNT,
    "energy_scales": list_of(whole(4, 65536)),
    "energy_max_hz": FREQUENCY,
    "energy_bands_hz": optional(list_of(FREQUENCY)),
    "energy_floor_db": number(-300, 0),
    "magnitude_weight": WEIGHT,
    "complex_weight": WEIGHT,
    "waveform_weight": WEIGHT,
    "pesq_weight": WEIGHT,
    "deletion_weight": WEIGHT,
    "mel_weight": WEIGHT,
    "stft_weight": WEIGHT,
    "stft_scales": list_of(whole(16, 65536)),
    "energy_weight": WEIGHT,
    "kept_weight": WEIGHT,
    "gate_weight": WEIGHT,
    # Networks
    "upsampling": UPSAMPLING,
    "downsampling": choice("strided", "blur"),
    "attenuation": number(1, 300),
    "band_limit_hz": FREQUENCY,
    "band_limit_transition": number(0, 1, open=True),
    "band_limit_db": number(1, 300),
    "latent_dim": whole(0, 65536),
    "kernel_size": whole(1, 65536),
    "phase_shuffle": whole(0, 65536),
    "shuffle_per_example": FLAG,
    "generator_channels": list_of(SIZE),
    "critic_channels": list_of(SIZE),
    "critic_factors": list_of(whole(1, 1024)),
    "critic_kernel_size": whole(1, 65536),
    "critic_inputs": choice("waveform", "spectral", "both"),
    "spectral_scales": list_of(whole(4, 65536)),
    "spectral_channels": list_of(SIZE),
    "spectral_factors": list_of(whole(1, 1024)),
    "spectral_max_hz": FREQUENCY,
    "activation": choice("relu", "leaky_relu", "snake"),
    "residual_blocks": whole(0, 100),
    "noise": FLAG,
    "rectified_init": FLAG,
    "band_factors": list_of(whole(1, 1024)),
    "time_factors": list_of(whole(1, 1024)),
    "time_units": SIZE,
    "band_units": SIZE,
    "dilations": list_of(whole(1, 65536)),
    "block_kernel_size": whole(1, 65536),
    "head": choice("waveform", "istft"),
    "features": choice("mel", "pseudo_inverse"),
    "floor_hz": FREQUENCY,
    "ceiling_hz": FREQUENCY,
    "window_frames": list_of(whole(1, 8192)),
    "window_width": SIZE,
    "blocks": whole(1, 100),
    "causal": FLAG,
    "stochastic": FLAG,
    "frozen_estimate": FLAG,
    "latent_every": whole(1, 1000),
    "restoration_blocks": list_of(whole(1, 100), 2),
    "estimate_channels": SIZE,
    "estimate_factors": list_of(whole(1, 1024)),
    "estimate_time_units": SIZE,
    "estimate_band_units": SIZE,
    "estimate_blocks": whole(1, 100),
    "follow_seconds": number(0, 600, open=True),
}
