"""Exported generators through SpeechBrain's interface, and sources that are none."""

import os
import shutil

import pytest
import soundfile
import torch
from speechbrain.inference.interfaces import Pretrained

from sb_resizegan.dataio.sinks import write_audio
from sb_resizegan.inference import ModelSourceError, SpeechWindowGenerator, load_weights
from sb_resizegan.models.window_generator import WindowGenerator
from sb_resizegan.nnet.average import exponential_average
from sb_resizegan.training.checkpoint_export import export_generator
from sb_resizegan.training.checkpoints import AtomicCheckpointer

HPARAMS = """\
seed: 3
sample_rate: 16000
lowpass_hz: 1500.0
generator: !new:sb_resizegan.models.window_generator.WindowGenerator
    latent_dim: 8
    channels: [16, 8, 8, 4]
    upsampling: linear
"""


def change(folder, old, new):
    """Changes the yaml of an exported model by hand."""
    text = (folder / "hyperparams.yaml").read_text()
    assert old in text
    (folder / "hyperparams.yaml").write_text(text.replace(old, new))


def make_run(folder, figures=(1.0,)):
    """The output folder of a training with one checkpoint for each figure; returns the generators saved."""
    folder.mkdir()
    (folder / "hyperparams.yaml").write_text(HPARAMS)
    generators = []
    for figure in figures:
        generator = WindowGenerator(latent_dim=8, channels=(16, 8, 8, 4), upsampling="linear")
        average = exponential_average(generator)
        AtomicCheckpointer(folder / "save", {"generator_average": average}).save_checkpoint(
            {"frechet_log_mel": figure}
        )
        generators.append(generator)
    return generators


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "run"
    (generator,) = make_run(run)
    return export_generator(run), generator


def test_an_exported_generator_makes_the_windows_of_the_trained_one(exported):
    folder, generator = exported
    model = SpeechWindowGenerator.from_hparams(source=folder)
    latent = torch.rand(4, 8)
    torch.testing.assert_close(model(latent).cpu(), generator(latent).detach())
    assert (model.sample_rate, model.lowpass_hz, model.factors) == (16000, 1500.0, (4, 4, 4, 4))
    assert not any(p.requires_grad for p in model.parameters())


def test_speechbrains_own_class_loads_the_folder_too(exported):
    folder, generator = exported
    plain = Pretrained.from_hparams(source=str(folder))
    latent = torch.rand(4, 8)
    torch.testing.assert_close(
        plain.mods.generator(latent.to(plain.device)).cpu(), generator(latent).detach()
    )


def test_a_seed_gives_the_same_windows_for_every_batch_size(exported):
    model = SpeechWindowGenerator.from_hparams(source=str(exported[0]))
    windows = model.generate(64, seed=0)
    assert windows.shape == (64, 2048)
    torch.testing.assert_close(model.generate(64, seed=0, batch_size=7), windows)
    assert not torch.equal(model.generate(64, seed=1), windows)
    assert not torch.equal(model.generate(64), model.generate(64))


def test_generating_leaves_the_global_random_state_alone_when_seeded(exported):
    model = SpeechWindowGenerator.from_hparams(source=exported[0])
    before = torch.get_rng_state()
    model.generate(3, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_file_holds_the_windows_joined(exported, tmp_path):
    model = SpeechWindowGenerator.from_hparams(source=exported[0])
    path = model.to_file(tmp_path / "deep" / "windows.wav", num_windows=5, seed=2)
    waveform, rate = soundfile.read(path, dtype="float32")
    assert rate == 16000
    torch.testing.assert_close(
        torch.from_numpy(waveform).view(5, -1), model.generate(5, seed=2), rtol=0, atol=2**-15
    )
    assert [p.name for p in path.parent.iterdir()] == ["windows.wav"]


def test_writing_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "sound.wav"
    write_audio(path, torch.zeros(100), 16000)
    before = path.read_bytes()
    with pytest.raises(OSError, match="could not be written as WAV PCM_16 with 1 channels at fast Hz"):
        write_audio(path, torch.zeros(100), "fast")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["sound.wav"]


def test_the_newest_checkpoint_or_the_best_is_exported(tmp_path):
    generators = make_run(tmp_path / "run", figures=(2.0, 1.0, 3.0))
    latent = torch.rand(2, 8)
    newest = SpeechWindowGenerator.from_hparams(export_generator(tmp_path / "run"))
    best = SpeechWindowGenerator.from_hparams(
        export_generator(tmp_path / "run", tmp_path / "best", best_by="frechet_log_mel")
    )
    torch.testing.assert_close(newest(latent).cpu(), generators[2](latent).detach())
    torch.testing.assert_close(best(latent).cpu(), generators[1](latent).detach())


def test_exporting_again_replaces_the_folder_and_nothing_else(tmp_path):
    make_run(tmp_path / "run")
    folder = export_generator(tmp_path / "run")
    (folder / "notes.txt").write_text("mine")
    (folder / "generator.ckpt").write_text("of an earlier version")
    assert sorted(p.name for p in export_generator(tmp_path / "run").iterdir()) == [
        "README.md",
        "custom.py",
        "generator.safetensors",
        "hyperparams.yaml",
        "notes.txt",
    ]
    (tmp_path / "mine").mkdir()
    with pytest.raises(ModelSourceError, match="mine is there already and is no exported model"):
        export_generator(tmp_path / "run", tmp_path / "mine")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda run: shutil.rmtree(run), "expected the output folder of a training"),
        (lambda run: shutil.rmtree(run / "save"), "save: expected a checkpoint, but there is none"),
        (
            lambda run: (run / "hyperparams.yaml").write_text("seed: 1\n"),
            r"hyperparams.yaml: expected the keys \['generator'",
        ),
        (lambda run: next(run.glob("save/*/*.ckpt")).unlink(), "expected a checkpoint, but there is none"),
        (
            lambda run: os.truncate(next(run.glob("save/*/*.ckpt")), 50),
            "all checkpoints are damaged: .*CKPT",
        ),
    ],
)
def test_what_cannot_be_exported_is_named(tmp_path, prepare, message):
    make_run(tmp_path / "run")
    prepare(tmp_path / "run")
    with pytest.raises(ModelSourceError, match=message):
        export_generator(tmp_path / "run")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda folder: (folder / "generator.safetensors").unlink(), "generator.safetensors"),
        (
            lambda folder: os.truncate(folder / "generator.safetensors", 200),
            "generator.safetensors: .*truncated or damaged",
        ),
        (
            lambda folder: (folder / "generator.safetensors").write_bytes(b"no weights"),
            "generator.safetensors: .*truncated or damaged",
        ),
        (
            lambda folder: change(folder, "latent_dim: 8", "latent_dim: 9"),
            "generator.safetensors: weights of another architecture: .*size mismatch",
        ),
        (
            lambda folder: torch.save(print, folder / "generator.safetensors"),
            "generator.safetensors: .*damaged",
        ),
        (lambda folder: (folder / "hyperparams.yaml").unlink(), "has no hyperparams.yaml"),
        (lambda folder: (folder / "hyperparams.yaml").write_text("modules: {}\n"), "could not load"),
        (lambda folder: shutil.rmtree(folder), "no such model folder: .*copy"),
        (lambda folder: (folder / "save").mkdir(), "is the output folder of a training"),
    ],
)
def test_what_cannot_be_loaded_is_named(exported, tmp_path, prepare, message):
    folder = tmp_path / "copy"
    shutil.copytree(exported[0], folder)
    prepare(folder)
    with pytest.raises(ModelSourceError, match=message):
        SpeechWindowGenerator.from_hparams(source=folder)


def test_modules_needed_are_checked(exported, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(exported[0], folder)
    change(folder, "modules:\n  generator:", "modules:\n  vocoder:")
    with pytest.raises(ModelSourceError, match=r"needs the modules .*generator.* not under 'modules'"):
        SpeechWindowGenerator.from_hparams(source=folder, trust=True)


def test_weights_that_are_code_are_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    torch.save({"weight": Trap()}, tmp_path / "trap.ckpt")
    with pytest.raises(ModelSourceError, match=r"trap\.ckpt"):
        load_weights(torch.nn.Linear(2, 2), tmp_path / "trap.ckpt")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(("count", "batch"), [(0, 1), (-1, 1), (1, 0)])
def test_counts_below_one_are_refused(exported, count, batch):
    model = SpeechWindowGenerator.from_hparams(source=exported[0])
    with pytest.raises(ValueError, match="expected at least 1 for num_windows and batch_size"):
        model.generate(count, batch_size=batch)


def test_an_ending_that_is_no_sound_format_is_refused(exported, tmp_path):
    model = SpeechWindowGenerator.from_hparams(source=exported[0])
    with pytest.raises(ValueError, match=r"windows.txt: expected the ending of a sound format"):
        model.to_file(tmp_path / "windows.txt")


def test_one_latent_and_arrays_are_taken(exported):
    model = SpeechWindowGenerator.from_hparams(source=exported[0])
    latents = torch.rand(2, 8)
    for given in (latents.numpy(), latents.double()):
        torch.testing.assert_close(model(given), model(latents))
    torch.testing.assert_close(model(latents[0].numpy()), model(latents)[0])
