"""Settings of the trainings: taken literally, typed, read by something, and named when they are wrong."""

import re
import types
from pathlib import Path

import pytest
import ruamel.yaml
import speechbrain.core
import torch

from sb_resizegan.commands import train_enhance, train_gan, train_restore
from sb_resizegan.losses.restoration_objective import RESTORATION_TERMS
from sb_resizegan.metrics.measures import direction, measure_of
from sb_resizegan.training import run
from sb_resizegan.training.figures import figures_of
from sb_resizegan.training.settings import OBJECTS, OPTIONAL, OTHERS, RECIPE
from sb_resizegan.training.settings_file import _kind, _read, load_training
from sb_resizegan.training.typed_values import check_value, read_word
from sb_resizegan.utils.command_line import Word, split_command_line
from sb_resizegan.utils.yaml_files import HparamsError, yaml_tree

YAMLS = {
    **dict.fromkeys(("resize", "transpose", "fullband", "windows_best"), "windows"),
    **dict.fromkeys(
        (
            "enhance",
            "enhance_base",
            "enhance_base_causal",
            "enhance_finetune",
            "enhance_base_small",
            "enhance_causal",
            "enhance_regression",
            "enhance_small",
            "enhance_wave",
        ),
        "enhancement",
    ),
    **dict.fromkeys(("restore", "restore_regression"), "restoration"),
}
SMALL = {
    "windows": ["--generator_channels=[16,8,8,4]", "--critic_channels=[4,8,8,16]", "--measured_windows=64"],
    "enhancement": [
        *("--channels=8", "--time_units=8", "--band_units=8", "--blocks=1", "--critic_channels=[4,8,8,8]"),
        *("--segment_seconds=1.0",),
    ],
}
SHORT = [
    "--batch_size=4",
    "--number_of_epochs=1",
    "--iterations_per_epoch=1",
    "--critic_steps=1",
    "--device=cpu",
]

# Keys that take any text.
TEXTS = {
    *("output_folder", "save_folder", "data_folder", "checkpoint_key", "start_from", "clean", "rir", "name"),
    *("valid_data", "test_data", "compare_with", "cache_folder"),
}

# What yaml, HyperPyYAML or a shell-like reader would make something else of.
LITERAL = [
    "take #1", "2024_01", "007", "lr=0.001", "2024-01-01", "1:30", "yes", "1e3", "0x10", ".5", "~", "true",
    "(3, 4)", "3/4", "1986/2", "a<b>c", "<seed>", "!ref <seed>", "&a", "*a", "- a", "{a: b}", "a: b", "'q'",
    '"q"', " lead", "trail ", "two\nlines", "%d", "@x", "é", "not utf-8 \udcff", "$HOME", "a,b", "=", "<<",
    "a\\b", "[x]",
]  # fmt: skip


@pytest.mark.parametrize("word", LITERAL)
def test_paths_on_the_command_line_are_taken_literally(word, tmp_path):
    folder = f"{tmp_path}/{word}"
    command = split_command_line(["resize.yaml", "--data_folder", word, f"--output_folder={folder}"])
    hparams, resolved = load_training(command.yaml, "windows", command.overrides)
    assert hparams["data_folder"] == word
    assert (hparams["output_folder"], hparams["save_folder"]) == (folder, f"{folder}/save")
    assert str(hparams["checkpointer"].checkpoints_dir) == f"{folder}/save"
    # What is written beside the results says the same to who reads it.
    (tmp_path / "written.yaml").write_text(resolved, encoding="utf-8")
    written = ruamel.yaml.YAML().load((tmp_path / "written.yaml").read_text(encoding="utf-8"))
    assert (written["data_folder"], written["save_folder"]) == (word, f"{folder}/save")


def test_lists_of_sources_are_literal_too_and_null_is_nothing(tmp_path):
    words = {"clean": Word("[2024_01, 'take #1', 007]"), "noise": Word("null"), "rir": Word("1e3")}
    overrides = {**words, "output_folder": str(tmp_path)}
    hparams, _ = load_training("enhance.yaml", "enhancement", overrides)
    assert hparams["clean"] == ["2024_01", "take #1", "007"]
    assert (hparams["noise"], hparams["rir"]) == (None, "1e3")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.yaml", "--clean", "a", "b"], r"in quotes\), but got \['a.yaml', 'b'\]"),
        (["--clean", "a"], "expected one yaml"),
        (["a.yaml", "--clean", "a", "--clean", "b"], "--clean: expected once"),
        (["a.yaml", "--clean"], "--clean: expected a value"),
        (["a.yaml", "--clean", "--debug"], "--clean: expected a value"),
        (["a.yaml", "--precision=fp8"], "--precision: invalid choice: 'fp8'"),
        (["a.yaml", "--nonfinite_patience", "many"], "--nonfinite_patience: invalid int value: 'many'"),
    ],
)
def test_command_lines_that_mean_nothing(words, message):
    with pytest.raises(HparamsError, match=message):
        split_command_line(words)


def test_run_options_stay_speechbrain_s(tmp_path):
    words = [
        "resize.yaml",
        "--max_grad_norm",
        "-1",
        "--debug",
        "--compile_module_keys",
        "generator",
        "--seed=-5",
    ]
    command = split_command_line(words)
    assert command.run_opts.max_grad_norm == -1 and command.run_opts.debug
    assert command.run_opts.compile_module_keys == ["generator"]
    assert command.run_opts.overridden_args == {"max_grad_norm", "debug", "compile_module_keys"}
    assert command.overrides == {"seed": "-5"}


@pytest.mark.parametrize("name", YAMLS)
def test_a_wrong_value_of_any_key_is_named_with_what_was_expected(name):
    tree = yaml_tree(f"{name}.yaml")
    for key in tree:
        kind = _kind(key, tree, YAMLS[name])
        if kind is None or key in TEXTS or (key == "noise" and YAMLS[name] != "windows"):
            continue
        for word in ("no_such_value", "[1, two]", "1e999", "-1e9", "2024-01-01", "{a: [1]}"):
            with pytest.raises(ValueError, match=rf"^{key}: expected .+, but got .+$"):
                check_value(key, kind, read_word(word, kind))


def test_wrong_values_end_it_before_anything_is_constructed(tmp_path, monkeypatch):
    monkeypatch.setattr("sb_resizegan.training.settings_file.construct", None)
    words = {"batch_size": Word("many"), "output_folder": str(tmp_path / "run")}
    with pytest.raises(
        HparamsError, match=r"^--batch_size: expected an integer from 1 to 65536, but got 'many'$"
    ):
        load_training("resize.yaml", "windows", words)
    (tmp_path / "own.yaml").write_text("extends: resize.yaml\nlearning_rate: fast\n")
    with pytest.raises(
        HparamsError, match=r"own.yaml: learning_rate: expected a number from 0 to 10, but got 'fast'$"
    ):
        load_training(tmp_path / "own.yaml", "windows")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", YAMLS)
def test_every_key_has_a_type(name):
    tree = yaml_tree(f"{name}.yaml")
    for key, value in tree.items():
        objects = (*OBJECTS[YAMLS[name]], *OPTIONAL)
        if not isinstance(value, dict) and not key.startswith("__") and key not in objects:
            assert _kind(key, tree, YAMLS[name]) is not None, key


class Recorder(dict):
    """Hyperparameters that note which of them are asked for."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.asked = set()

    def __getitem__(self, key):
        self.asked.add(key)
        return super().__getitem__(key)

    def get(self, key, default=None):
        self.asked.add(key)
        return super().get(key, default)


@pytest.fixture
def recorded(monkeypatch):
    """Keys that a training asks for: the recipe of its dictionary, the Brain of its namespace."""
    asked, dictionaries = set(), []

    class Namespace(types.SimpleNamespace):
        def __getattribute__(self, name):
            asked.add(name)
            return super().__getattribute__(name)

    def load(path, task, overrides, check):
        values = Recorder()
        dictionaries.append(values)
        hparams, resolved = load_training(path, task, overrides, lambda plain: check(note(values, plain)))
        dictionaries.append(Recorder(hparams))
        return dictionaries[-1], resolved

    def note(recorder, plain):
        recorder.update(plain)
        return recorder

    def recording(brain):
        def make(modules, hparams, *arguments, **options):
            dictionaries.append(Recorder(hparams))
            return brain(modules, dictionaries[-1], *arguments, **options)

        return make

    monkeypatch.setattr(train_gan, "WGANBrain", recording(train_gan.WGANBrain))
    monkeypatch.setattr(train_enhance, "EnhancementBrain", recording(train_enhance.EnhancementBrain))
    monkeypatch.setattr(train_restore, "RestorationBrain", recording(train_restore.RestorationBrain))
    monkeypatch.setattr(speechbrain.core, "SimpleNamespace", Namespace)
    monkeypatch.setattr(run, "load_training", load)
    # The test of the enhancer takes minutes and asks for nothing more.
    monkeypatch.setattr(train_enhance, "evaluate", lambda *_, **__: None)
    monkeypatch.setattr(train_enhance, "log_test", lambda *_: None)
    monkeypatch.setattr(train_enhance, "write_evaluation", lambda *_: None)
    monkeypatch.setattr(train_enhance, "write_enhancement_report", lambda *_: None)
    for training in (train_enhance, train_restore):
        monkeypatch.setattr(training, "summarise", lambda *_: None)
    return lambda: asked.union(*(hparams.asked for hparams in dictionaries))


def all_read(asked, task):
    """Keys of the task's yamls that nothing has read."""
    unread = {}
    for name in (name for name, of in YAMLS.items() if of == task):
        tree = yaml_tree(f"{name}.yaml")
        for key in set(tree) - _read({key: tree[key] for key in tree}, task):
            unread.setdefault(name, set()).add(key)
        unasked = set(RECIPE[task]) - asked - {"task"}  # the task is checked before, and read when exporting
        if unasked:
            unread.setdefault(name, set()).update(unasked)
    return unread


def test_every_key_of_the_yamls_of_windows_is_read(recorded, small_corpus, tmp_path):
    options = [
        f"--data_folder={small_corpus}",
        f"--output_folder={tmp_path / 'run'}",
        *SMALL["windows"],
        *SHORT,
    ]
    train_gan.main(["resize.yaml", *options])
    assert all_read(recorded(), "windows") == {}
    known = figures_of(
        dict(load_training("resize.yaml", "windows", {"output_folder": str(tmp_path)})[0]), "windows"
    )
    assert set(known) == own_figures(tmp_path / "run", known)


def test_every_key_of_the_yamls_of_restoration_is_read(recorded, small_corpus, tmp_path):
    sizes = ("channels", "time_units", "band_units")
    small = [f"--{name}=8" for name in (*sizes, *(f"estimate_{size}" for size in sizes))]
    options = ["--estimate_blocks=1", "--frozen_estimate=False", "--start_from=null", "--segment_seconds=1.0"]
    options += [f"--clean={small_corpus}", "--valid_utterances=2", f"--output_folder={tmp_path / 'run'}"]
    train_restore.main(["restore.yaml", *small, *options, *SHORT])
    assert all_read(recorded(), "restoration") == {}
    known = figures_of({f"{term}_weight": 1 for term in RESTORATION_TERMS}, "restoration")
    assert set(known) == own_figures(tmp_path / "run", known)


def test_every_key_of_the_yamls_of_enhancement_is_read(recorded, small_corpus, tmp_path):
    common = [*SMALL["enhancement"], *SHORT]
    mixed = [f"--clean={small_corpus}", "--valid_utterances=2", f"--output_folder={tmp_path / 'mixed'}"]
    train_enhance.main(["enhance.yaml", *mixed, *common])
    for side in ("clean", "noisy"):
        (tmp_path / "pairs" / side).mkdir(parents=True)
        for path in sorted(small_corpus.glob("*.wav"))[:4]:
            (tmp_path / "pairs" / side / path.name).symlink_to(path)
    paired = [f"--data_folder={tmp_path / 'pairs'}", f"--output_folder={tmp_path / 'paired'}"]
    train_enhance.main(["enhance.yaml", *paired, *common])
    assert all_read(recorded(), "enhancement") == {}
    known = figures_of(
        {f"{term}_weight": 1 for term in ("magnitude", "complex", "waveform", "pesq")}, "enhancement"
    )
    assert set(known) == own_figures(tmp_path / "mixed", known)


def own_figures(folder, known):
    """Figures in a checkpoint with a better end, and the known ones; none of real or noisy speech."""
    (path,) = (folder / "save").glob("CKPT*/CKPT.yaml")
    names = [line.split(":")[0] for line in path.read_text().splitlines()]
    return {name for name in names if name in known or (direction(name) and not measure_of(name)[1])}


@pytest.mark.parametrize(
    ("yaml", "task", "overrides", "message"),
    [
        ("enhance_wave.yaml", "enhancement", {"causal": "True"}, "causal: enhance_wave.yaml has no such"),
        ("enhance.yaml", "enhancement", {"time_factors": "[2]"}, "has no such key; did you mean"),
        ("enhance.yaml", "windows", {}, "but got 'enhancement'; it is for train-enh"),
        ("enhance.yaml", "enhancement", {"task": "windows"}, "--task: expected no value"),
        ("enhance.yaml", "enhancement", {"generator": "5"}, "enhance.yaml has an object here"),
        ("enhance_regression.yaml", "enhancement", {"phase_shuffle": "0"}, "no effect: critic_steps is 0"),
        ("resize.yaml", "windows", {"spectral_scales": "[64]"}, "no effect: critic_inputs is waveform"),
        ("enhance.yaml", "enhancement", {"name": "a", "output_folder": "b"}, "--name: expected no value"),
        ("enhance_wave.yaml", "enhancement", {"channels": "8"}, r"expected Sequence\[int\], but got 8"),
        ("enhance.yaml", "enhancement", {"channels": "[8]"}, r"expected int, but got \[8\]"),
        ("enhance.yaml", "enhancement", {"models": "[models/no.yaml]"}, "no such yaml.*models/wave.yaml"),
    ],
)  # fmt: skip
def test_nothing_is_accepted_and_ignored(yaml, task, overrides, message):
    with pytest.raises(HparamsError, match=message):
        load_training(yaml, task, {key: Word(value) for key, value in overrides.items()})


def test_another_model_brings_its_own_keys(tmp_path):
    words = {
        "models": Word("[models/wave.yaml, models/conditional_critic.yaml]"),
        "time_factors": Word("[2, 2]"),
    }
    words |= {"channels": Word("[4, 4]"), "output_folder": Word(str(tmp_path))}
    hparams, resolved = load_training("enhance.yaml", "enhancement", words)
    assert hparams["generator"].factors == (2, 2)
    assert not {"band_factors", "models"} & set(ruamel.yaml.YAML().load(resolved))


def test_keys_of_a_model_of_one_s_own_get_the_types_of_its_arguments(tmp_path):
    own = (Path(__file__).parents[2] / "hparams" / "models" / "wave.yaml").read_text()
    own = own.replace("channels: [16", "my_widths: [16").replace("<channels>", "<my_widths>")
    (tmp_path / "own.yaml").write_text(own + "unused: 1\n")
    (tmp_path / "training.yaml").write_text(
        "extends: enhance.yaml\nmodels: [own.yaml, models/conditional_critic.yaml]\nmy_widths: [4, many]\n"
    )
    with pytest.raises(HparamsError, match="unknown key 'unused': neither train-enhance nor an object"):
        load_training(tmp_path / "training.yaml", "enhancement")
    (tmp_path / "own.yaml").write_text(own)
    with pytest.raises(HparamsError, match=r"my_widths: expected Sequence\[int\], but got \[4, 'many'\]"):
        load_training(tmp_path / "training.yaml", "enhancement")


def test_old_and_new_yamls_build_the_same_networks(tmp_path):
    """The yaml that a training of before left, beside today's with the same settings."""
    fixtures = Path(__file__).parents[1] / "fixtures" / "trainings_without_task"
    for name, task in (("resize", "windows"), ("enhance", "enhancement")):
        old = ruamel.yaml.YAML().load((fixtures / f"{task}.yaml").read_text())
        now = yaml_tree(f"{name}.yaml")
        for key in ("generator", "critic"):
            arguments = now[key].get("waveform", now[key])
            for argument, value in old[key].items():
                refers = re.fullmatch("<(.+)>", str(getattr(arguments[argument], "value", "")))
                assert (
                    argument in arguments
                    and refers
                    and refers[1] in {**RECIPE[task], **OTHERS, "channels": 0}
                )
                assert value == old[refers[1]]


def test_too_many_workers_are_refused_with_the_reason():
    with pytest.raises(run.RunError, match=r"num_workers: expected at most \d+, two for each .* but got 900"):
        run.check_workers(900)


@pytest.mark.parametrize(("cores", "processes", "workers"), [(2, 1, 1), (16, 1, 8), (16, 4, 3), (4, 8, 0)])
def test_a_gpu_has_the_cores_that_are_left_mix_for_it(cores, processes, workers, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(cores)))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    assert run.usual_workers(torch.device("cuda")) == workers
    assert run.usual_workers(torch.device("cpu")) == 0


@pytest.mark.parametrize("key", ["pesq", "stoi", "no_such", "epoch", "pesq_wb_noisy"])
def test_a_wrong_checkpoint_key_is_found_at_the_start(key):
    values = {"checkpoint_key": key, "magnitude_weight": 1.0, "pesq_weight": 0.0}
    with pytest.raises(run.RunError, match=f"checkpoint_key: expected .*pesq_wb.*but got '{key}'"):
        run.check_figure(values, "enhancement")
    values["checkpoint_key"] = "objective"
    run.check_figure(values, "enhancement")
