"""Exported models of strangers: nothing is run, nothing outside is opened, and it is said why."""

import os
import shutil

import pytest
import torch
from hyperpyyaml import load_hyperpyyaml
from speechbrain.utils.fetching import FetchFrom, FetchSource

from sb_resizegan.inference import GenerativeEnhancement, ModelSourceError, shipped_models
from sb_resizegan.utils.safe_yaml import construct
from sb_resizegan.utils.yaml_nodes import UnsafeYamlError, compose

MARKER = "MARKER"


@pytest.fixture
def model(tmp_path):
    """A copy of a shipped model, the folder beside which a marker would appear."""
    return shutil.copytree(shipped_models()["enhance-base"], tmp_path / "model")


def load(folder, **options):
    return GenerativeEnhancement.from_hparams(source=folder, run_opts={"device": "cpu"}, **options)


# Each makes the marker, or reads what it must not, when HyperPyYAML constructs it.
ATTACKS = {
    "apply": 'x: !apply:os.system ["touch MARKER"]',
    "apply without arguments": "x: !apply:os.getcwd",
    "applyref": 'x: !applyref:os.system ["touch MARKER"]',
    "new of a stranger": 'x: !new:subprocess.Popen [["touch", "MARKER"]]',
    "new through an attribute": 'x: !new:sb_resizegan.inference.generated_windows.os.system ["touch MARKER"]',
    "new of a permitted name's attribute": "x: !new:sb_resizegan.models.SpectralGenerator.__init__ {}",
    "new of a prefix": "x: !new:sb_resizegan.models.SpectralGeneratorX {}",
    "new with a blank": '"x": !<!new:sb_resizegan.models.SpectralGenerator%20> {}',
    "name of a stranger": 'x: !name:os.system ["touch MARKER"]',
    "name bound to a model": "x: !name:sb_resizegan.models.SpectralGenerator {}",
    "call of the hook": "x: !new:sb_resizegan.inference.load_weights {module: 1, path: /etc/passwd}",
    "module": "x: !module:antigravity",
    "include": "x: !include:other.yaml",
    "include of an absolute path": "x: !include:/etc/passwd",
    "python object": 'x: !!python/object/apply:os.system ["touch MARKER"]',
    "python new": 'x: !!python/object/new:os.system ["touch MARKER"]',
    "python name": "x: !!python/name:os.system",
    "python module": "x: !!python/module:antigravity",
    "python tuple": "x: !!python/tuple [1]",
    "verbatim tag": 'x: !<tag:yaml.org,2002:python/object/apply:os.system> ["touch MARKER"]',
    "tag handle": '%TAG !p! tag:yaml.org,2002:python/object/apply:\n---\nx: !p!os.system ["touch MARKER"]',
    "tuple": "x: !tuple (1, 2)",
    "tuple that runs": 'x: (!!python/object/apply:os.system ["touch MARKER"])',
    "tuple in quotes": "x: '(!!python/object/apply:os.system [\"touch MARKER\"])'",
    "tuple by reference": 'a: "!!python/object/apply:os.system [touch MARKER]"\nx: !ref (<a>)',
    "tag on a key": '? !apply:os.system ["touch MARKER"]\n: 1',
    "mapping as a key": "? {a: 1}\n: 1",
    "hidden by underscores": '__x: !apply:os.system ["touch MARKER"]',
    "attribute of a reference": "x: !ref <generator.__class__>",
    "powers": "a: 9\nx: !ref <a> ** <a> ** <a> ** <a>",
    "powers by parts": 'a: "*"\nx: !ref 9<a><a>9<a><a>9',
    "reference to itself": "x: !ref <x>",
    "references in a circle": "x: !ref <y>\ny: !ref <x>",
    "alias of itself": "x: &x [*x]",
    "reference that leads nowhere": "x: !ref <nothing>",
    "merge key": "a: &a {b: 1}\nx: {<<: *a}",
    "placeholder": "x: !PLACEHOLDER",
    "timestamp": "x: 2026-01-01",
    "binary": "x: !!binary aGVsbG8=",
    "set": "x: !!set {a, b}",
    "nesting": f"x: {'[' * 40}{']' * 40}",
    "nesting without an end": f"x: {'[' * 40_000}",
    "nesting by blocks": "x:\n" + "".join(f"{' ' * (n + 1)}k:\n" for n in range(200)),
    "64 KiB": f"x: {'a' * (1 << 16)}",
    "aliases that multiply": "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 8)}]\n" for n in range(9)),
    "references that multiply": "a: [1, 1, 1, 1, 1, 1, 1, 1]\n"
    + "".join(f"{chr(98 + n)}: [{', '.join([f'!ref <{chr(97 + n)}>'] * 8)}]\n" for n in range(9)),
    "copies that multiply": "a: [1, 1, 1, 1, 1, 1, 1, 1]\n"
    + "".join(f"{chr(98 + n)}: [{', '.join([f'!copy <{chr(97 + n)}>'] * 8)}]\n" for n in range(9)),
    "absolute path": "x: /etc/passwd",
    "path upwards": "x: a/../../b",
    "home": "x: ~root/b",
    "huge number": "x: 99999999999999999999",
    "no number": "x: .nan",
    "the same key twice": "x: 1\nx: 2",
    "two documents": "x: 1\n---\ny: 2",
    "run option": "compile: True",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_nothing_of_a_stranger_is_run(model, attack, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (model / "other.yaml").write_text('x: !apply:os.system ["touch MARKER"]')
    yaml = model / "hyperparams.yaml"
    if attack.startswith("%TAG"):
        yaml.write_text(f"{attack}\n{yaml.read_text()}")
    else:
        yaml.write_text(f"{yaml.read_text()}\n{attack}\n")
    with pytest.raises(ModelSourceError, match=r"hyperparams\.yaml"):
        load(model)
    assert not list(tmp_path.rglob(MARKER))


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        ("!apply:os.system [ls]", "line 3: the tag !apply:os.system is not allowed"),
        ("!new:subprocess.Popen [ls]", "line 3: the tag !new:subprocess.Popen is not allowed"),
        ("!!python/name:os.system", "line 3: the tag tag:yaml.org,2002:python/name:os.system is not allowed"),
        ("!include:a.yaml", "line 3: the tag !include:a.yaml is not allowed"),
        ("(1, 2)", "line 3: the tag !tuple of (1, 2) is not allowed"),
        ("!ref <a.b>", "line 3: the reference !ref <a.b>: attributes of objects are not allowed"),
        ("!ref <a> ** 2", "line 3: the reference !ref <a> ** 2: powers are not allowed"),
        ("../x", "line 3: ../x: absolute paths and '..' are not allowed"),
    ],
)
def test_the_tag_and_the_line_are_named(attack, words):
    load_hyperpyyaml("a: 1")  # which teaches the parser a tag for what is in parentheses
    with pytest.raises(UnsafeYamlError) as error:
        construct(compose(f"# a comment\na: 2\nx: {attack}\n", "model.yaml"), {}, "model.yaml")
    assert words in str(error.value) and str(error.value).startswith("model.yaml, ")


def edit(model, old, new):
    text = (model / "hyperparams.yaml").read_text()
    assert old in text
    (model / "hyperparams.yaml").write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("custom_hooks:", "paths: {generator: generator.safetensors}\n  custom_hooks:"),
        ("custom_hooks:", "collect_in: elsewhere\n  custom_hooks:"),
        ("custom_hooks:", "conditions: {generator: false}\n  custom_hooks:"),
        ("!name:sb_resizegan.inference.load_weights", "!name:torch.load"),
        ("      sha256:", "      path: generator.ckpt\n      sha256:"),
        ("  loadables:\n    generator: !ref <generator>\n", "  loadables: {}\n"),
        ("  loadables:\n    generator: !ref", "  loadables:\n    other: !ref"),
        ("  loadables:\n    generator: !ref <generator>", "  loadables:\n    a/b: !ref <generator>"),
        ("channels: 64", "channels: 16000000"),
        ("blocks: 3", "blocks: 16000000"),
        ("channels: 64", "channels: [64]"),
        ("generator: !ref <generator>\npre", "generator: !ref <sample_rate>\npre"),
        ("generator: !ref <generator>\npre", "generator: !copy <generator>\npre"),
        ("sample_rate: 16000", "sample_rate: [16000"),
    ],
)
def test_a_yaml_that_does_not_fit_its_weights_is_refused(model, old, new):
    edit(model, old, new)
    with pytest.raises(ModelSourceError, match=r"hyperparams\.yaml|generator|a/b"):
        load(model)


def test_a_yaml_that_lost_or_changed_anything_is_found_out(model):
    """Each line taken away in turn, and values changed that no check of their own would find."""
    yaml = model / "hyperparams.yaml"
    text = yaml.read_text()
    lines = text.splitlines(keepends=True)
    changed = [
        "".join(lines[:n] + lines[n + 1 :]) for n, line in enumerate(lines) if line.strip()[:1] not in "#"
    ]
    changed += [text.replace("nearest", "linear"), text.replace("sample_rate: 16000", "sample_rate: 16001")]
    for trial in changed:
        yaml.write_text(trial)
        with pytest.raises(ModelSourceError):
            load(model)
    # What says the same, and what says more, is no change.
    yaml.write_text(f"# mine\nnote: mine\n{text.replace('nearest', repr('nearest'))}")
    load(model)


def test_weights_and_yaml_are_read_from_the_folder_alone(model, tmp_path):
    for name in ("generator.safetensors", "hyperparams.yaml"):
        outside = tmp_path / f"outside_{name}"
        shutil.move(model / name, outside)
        (model / name).symlink_to(outside)
        with pytest.raises(ModelSourceError, match=rf"{name}: expected a regular file, but it is a link out"):
            load(model)
        (model / name).unlink()
        shutil.move(outside, model / name)
    # Links within the folder, and to it, lead nowhere else.
    (model / "generator.safetensors").rename(model / "weights")
    (model / "generator.safetensors").symlink_to("weights")
    (tmp_path / "latest").symlink_to("model")
    load(tmp_path / "latest")
    with pytest.raises(ModelSourceError, match="hparams_file: expected the name of a file"):
        load(model, hparams_file="../model/hyperparams.yaml")


def test_who_trusts_loads_what_is_refused_else(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (model / "hyperparams.yaml").write_text(
        f"{(model / 'hyperparams.yaml').read_text()}\n"
        f"x: !apply:pathlib.Path.mkdir [!new:pathlib.Path [{MARKER}]]\n"
    )
    with pytest.raises(ModelSourceError, match="trust=True"):
        load(model)
    assert not (tmp_path / MARKER).exists()
    assert load(model, trust=True).sample_rate == 16000
    assert (tmp_path / MARKER).is_dir()


def test_overrides_are_plain_values(model):
    assert load(model, overrides={"sample_rate": 8000}).sample_rate == 8000
    assert load(model, overrides="sample_rate: 8000").sample_rate == 8000
    assert (
        load(model, overrides={"generator": {"upsampling": "linear"}}).mods.generator.upsampling == "linear"
    )
    with pytest.raises(
        ModelSourceError, match=r"overrides, line 1: the tag !apply:os.getcwd is not allowed|tag !apply"
    ):
        load(model, overrides="sample_rate: !apply:os.getcwd")
    with pytest.raises(ModelSourceError, match="overrides: expected plain values"):
        load(model, overrides={"sample_rate": os.getcwd})
    with pytest.raises(ModelSourceError, match="overrides: the key rate is not in"):
        load(model, overrides={"rate": 1})


def test_references_give_what_hyperpyyaml_gives():
    from hyperpyyaml import load_hyperpyyaml

    text = """\
rate: 16000
list: [1, 2.5, text, true, null]
whole: !ref <rate>
half: !ref <rate> // 2
part: !ref <rate> * 4 + 1
inner: !ref <deep[a][b]>
deep: {a: {b: [7]}}
path: !ref run_<rate>/save
copied: !copy <deep>
anchor: &x [1, 2]
alias: *x
__hidden: 3
exponent: 1e-4
octal: 0o17
quoted: "16"
"""
    values = construct(compose(text, "x.yaml"), {}, "x.yaml")
    assert values == load_hyperpyyaml(text)
    assert values["inner"] is values["deep"]["a"]["b"] and values["copied"] is not values["deep"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("results/export", "no such model folder"),
        ("somebody/some-model", "hf:user/model@REVISION"),
        ("hf:somebody/some-model", "expected a revision"),
        ("hf:somebody", "expected hf:user/model@REVISION"),
        ("hf:../some-model@main", "expected hf:user/model@REVISION"),
        ("https://example.org/model", "no such model folder"),
        (FetchSource(FetchFrom.HUGGING_FACE, "somebody/some-model"), "hf:user/model@REVISION"),
    ],
)
def test_nothing_is_sought_on_the_network_unless_it_is_said(source, message, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: pytest.fail("sought"))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *a, **k: pytest.fail("sought"))
    with pytest.raises(ModelSourceError, match=message):
        load(source)


def test_a_model_on_the_hub_is_checked_like_any_other(model, tmp_path, monkeypatch):
    import huggingface_hub

    # The layout of the Hub's cache: links to blobs beside the snapshots.
    snapshot = tmp_path / "models--some--body" / "snapshots" / "abc"
    blobs = tmp_path / "models--some--body" / "blobs"
    snapshot.mkdir(parents=True), blobs.mkdir()
    for file in model.iterdir():
        shutil.copy(file, blobs / file.name)
        (snapshot / file.name).symlink_to(os.path.relpath(blobs / file.name, snapshot))
    asked = []

    def download(name, revision, allow_patterns):
        asked.append((name, revision))
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert load("hf:some/body@abc").sample_rate == load("hf:some/body", revision="abc").sample_rate == 16000
    assert asked == [("some/body", "abc")] * 2
    (snapshot / "generator.safetensors").unlink()
    (snapshot / "generator.safetensors").symlink_to(model / "generator.safetensors")
    with pytest.raises(ModelSourceError, match="a link out of the folder"):
        load("hf:some/body@abc")
    with pytest.raises(ModelSourceError, match="two revisions"):
        load("hf:some/body@abc", revision="def")


def test_a_savedir_of_another_model_is_not_taken_for_this_one(model, tmp_path):
    first, other = load(model, savedir=tmp_path / "kept"), shipped_models()["enhance-adversarial"]
    assert sorted(p.name for p in (tmp_path / "kept").iterdir()) == [
        "generator.safetensors",
        "hyperparams.yaml",
    ]
    noisy = torch.randn(1, 4000)
    assert torch.equal(
        load(model, savedir=tmp_path / "kept").enhance_batch(noisy), first.enhance_batch(noisy)
    )
    for trust in (False, True):
        with pytest.raises(ModelSourceError, match="holds another model's"):
            load(other, savedir=tmp_path / "kept", trust=trust)
