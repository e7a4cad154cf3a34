"""The training of restoration by its command: what it leaves, what it goes on with, what it refuses."""

import pytest
import torch

from sb_resizegan.commands import train_enhance, train_restore
from sb_resizegan.commands.main import main
from sb_resizegan.inference import GenerativeEnhancement
from sb_resizegan.training.checkpoint_export import loading_code
from sb_resizegan.training.restoration_data import load_restoration_data

NULL = ["packet_loss", "bandwidth_hz", "hard_clipping_db", "soft_clipping_db", "opus_kbits", "mp3_kbits"]
NULL += ["g722_kbits", "mu_law_bits", "late_reverberation_db", "added_noise_db"]
SMALL = {
    **dict.fromkeys(["channels", "time_units", "band_units", "estimate_channels"], 8),
    **dict.fromkeys(["estimate_time_units", "estimate_band_units"], 8),
    "estimate_blocks": 1,
    "frozen_estimate": False,
    "start_from": "null",
    "energy_scales": "[128, 512]",
    "batch_size": 2,
    "number_of_epochs": 2,
    "iterations_per_epoch": 2,
    "segment_seconds": 1.0,
    "valid_utterances": 2,
    "device": "cpu",
}


def words(**options):
    return [f"--{key}={value}" for key, value in {**SMALL, **options}.items() if value is not None]


@pytest.fixture
def unscored(monkeypatch):
    """Trainings without the test at their end, which takes longer than they do."""
    for name in ("evaluate", "log_test", "write_evaluation", "write_enhancement_report"):
        monkeypatch.setattr(train_enhance, name, lambda *_, **__: None)
    monkeypatch.setattr(train_restore, "summarise", lambda *_: None)


def refused(capsys, **options):
    with pytest.raises(SystemExit) as ended:
        main(["train-restore", "restore.yaml", *words(**options)])
    return str(ended.value)


@pytest.mark.parametrize("critic_steps", [0, 1])
def test_a_run_leaves_a_model_that_loads_and_draws(critic_steps, unscored, small_corpus, tmp_path):
    folder = tmp_path / "run"
    options = {"critic_steps": 1, "spectral_channels": "[8, 8, 8]"} if critic_steps else {}
    train_restore.main(["restore.yaml", *words(clean=small_corpus, output_folder=folder, **options)])
    assert (folder / "measures.csv").read_text().count("\n") == 3
    assert loading_code(folder / "export").startswith("GenerativeEnhancement")
    model = GenerativeEnhancement.from_hparams(source=folder / "export", run_opts={"device": "cpu"})
    draws = model.enhance_batch(0.1 * torch.randn(1, 8000), num_samples=3)
    assert draws.shape == (3, 1, 8000) and not torch.equal(draws[0], draws[1])
    assert f"train {'score_gap' if critic_steps else 'energy'}" in (folder / "train_log.txt").read_text()


def test_the_control_is_deterministic_and_starts_from_an_enhancer(unscored, small_corpus, tmp_path):
    folder = tmp_path / "run"
    own = {key: None for key in SMALL if key.startswith(("estimate", "frozen", "start"))}
    short = {"number_of_epochs": 1, "iterations_per_epoch": 1}
    options = words(clean=small_corpus, output_folder=folder, **own, **short)
    train_restore.main(["restore_regression.yaml", *options])
    generator = GenerativeEnhancement.from_hparams(source=folder / "export").mods.generator
    start = GenerativeEnhancement.from_hparams(source="enhance-base").mods.generator
    assert generator.latent_dim == 0
    # What it starts from, frozen.
    for name, value in start.blocks.state_dict().items():
        assert torch.equal(generator.estimate.blocks.state_dict()[name], value), name


def test_the_validation_is_held_out_and_the_same_each_time(small_corpus, tmp_path):
    hparams = {
        **{"clean": str(small_corpus), "noise": None, "rir": None, "cache_folder": str(tmp_path)},
        **{"sample_rate": 16000, "segment_seconds": 1.0, "valid_fraction": 0.2, "valid_utterances": 3},
        **{"seed": 1, "balance_minutes": None, "source_weights": None, "level_db": [-30.0, -20.0]},
        **{"babble": 0.5, "coloured": 0.5, "tonal": 0.0, "talker": 0.0, "second_noise": 0.0},
        **{"switching": 0.0, "packet_loss": [0.1, 0.2]},
    }
    source, utterances, batches = load_restoration_data(hparams)
    _, again, _ = load_restoration_data(hparams)
    assert len(utterances) == 3 and all(
        (a.noisy == b.noisy).all() for a, b in zip(utterances, again, strict=True)
    )
    (batch,) = list(batches)
    assert (batch.noisy[1].numpy() == utterances[1].noisy).all() and batch.lost.shape == (3, 257, 64)
    assert source.batch(0, 2, seed=1).noisy.shape == (2, 16000)


def test_a_yaml_without_any_degradation_is_refused(capsys):
    said = refused(capsys, **dict.fromkeys(NULL, "null"))
    assert said.startswith("error: degradations: expected a range for at least one of packet_loss,")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"packet_loss": "[0.1, 1.5]"},
            "--packet_loss: expected null or [lowest, highest], numbers",
        ),
        ({"bandwidth_hz": "[5000, 4000]"}, "--bandwidth_hz: expected null or [lowest, highest]"),
        ({"g722_kbits": "[50, 52]"}, "g722_kbits: expected a range with one of (48, 56, 64) in it"),
        ({"added_noise_db": "loud"}, "--added_noise_db: expected null or [lowest, highest]"),
        ({"frozen_estimate": True}, "start_from: expected an enhancer, for a frozen estimate never learns"),
        ({"noise": "."}, "clean: expected speech to degrade beside noise or rir"),
        ({"clean": "nowhere"}, "clean: expected something that is there, but there is no 'nowhere'"),
        ({"sample_rate": 8000}, "sample_rate: expected 16000 Hz"),
        ({"energy_scales": "[32768]"}, "energy_scales: expected at most the 1 s of a segment, but got 32768"),
        ({"concealment": 0.1, "packet_loss": "null"}, "--concealment: expected no value"),
        ({"start_from": "windows-best"}, "GenerativeEnhancement loads models with the task 'enhancement'"),
    ],
)
def test_settings_that_cannot_be_run_are_named(options, said, capsys, tmp_path):
    assert said in refused(capsys, output_folder=tmp_path / "run", **options)
    assert not list(tmp_path.glob("run/save/*"))
