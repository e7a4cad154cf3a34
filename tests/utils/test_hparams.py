"""Yaml files that extend others, and errors that name the wrong key."""

from pathlib import Path

import pytest

from sb_resizegan.utils.hparams import HparamsError, load_hparams, read_hparams
from sb_resizegan.utils.yaml_files import yaml_tree

BASE = "size: 3\nname: first\ncounter: !new:collections.Counter\n    size: !ref <size>\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "variant.yaml").write_text("extends: base.yaml\nsize: 4\n")
    (tmp_path / "deeper.yaml").write_text("extends: variant.yaml\nname: second\n")
    return tmp_path


def test_a_variant_changes_what_it_states_and_keeps_the_rest(folder):
    hparams, _ = load_hparams(folder / "deeper.yaml")
    assert hparams == {"size": 4, "name": "second", "counter": {"size": 4}}


def test_the_command_line_comes_last(folder):
    hparams, resolved = load_hparams(folder / "variant.yaml", {"size": 5})
    assert hparams["counter"] == {"size": 5}
    (folder / "resolved.yaml").write_text(resolved)
    assert load_hparams(folder / "resolved.yaml")[0] == hparams


def test_a_variant_may_replace_an_object(folder):
    (folder / "other.yaml").write_text(
        "extends: base.yaml\ncounter: !new:collections.OrderedDict\n    a: 1\n"
    )
    assert load_hparams(folder / "other.yaml")[0]["counter"] == {"a": 1}


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        ("extends: base.yaml\nsizes: 4\n", {}, r"variant.yaml: unknown key 'sizes'.*did you mean 'size'"),
        ("extends: base.yaml\n", {"sizee": 4}, r"--sizee: .*did you mean 'size'"),
        ("extends: missing.yaml\n", {}, "no such yaml file: .*missing.yaml"),
        ("extends: variant.yaml\n", {}, "extends itself"),
        ("- a\n- b\n", {}, "expected yaml of the form 'key: value', but got CommentedSeq"),
        ("a: [1\n", {}, "variant.yaml is not valid yaml"),
        ("a: !ref <nothing>\n", {}, "variant.yaml: .*nothing"),
        ("a: !new:collections.NoSuchThing\n", {}, "variant.yaml: .*NoSuchThing"),
    ],
)
def test_errors_name_file_and_key(folder, text, overrides, message):
    (folder / "variant.yaml").write_text(text)
    with pytest.raises(HparamsError, match=message):
        load_hparams(folder / "variant.yaml", overrides)


def test_run_options_are_no_unknown_keys(folder):
    assert load_hparams(folder / "base.yaml", {"max_grad_norm": 1.0})[0]["max_grad_norm"] == 1.0


def test_models_bring_their_keys_and_take_them_away(folder):
    (folder / "small.yaml").write_text("# A network.\n\nwidth: 3   # of a layer\n")
    (folder / "large.yaml").write_text("depth: 9\n")
    (folder / "root.yaml").write_text("a: 1\nmodels: [small.yaml]\n\n# Then\nb: !ref <width>\n")
    tree = yaml_tree(folder / "root.yaml")
    assert list(tree) == ["a", "width", "b"]
    assert load_hparams(folder / "root.yaml", {"width": 4})[0] == {"a": 1, "width": 4, "b": 4}
    (folder / "child.yaml").write_text("extends: root.yaml\nmodels: [large.yaml]\nb: !ref <depth>\n")
    assert load_hparams(folder / "child.yaml")[0] == {"a": 1, "depth": 9, "b": 9}
    (folder / "child.yaml").write_text("extends: root.yaml\nmodels: [large.yaml]\nwidth: 2\n")
    with pytest.raises(
        HparamsError, match=r"child.yaml: unknown key 'width', which neither .*root.yaml nor its"
    ):
        read_hparams(folder / "child.yaml")
    (folder / "large.yaml").write_text("a: 9\n")
    with pytest.raises(HparamsError, match=r"large.yaml: the key 'a' is in .*root.yaml"):
        read_hparams(folder / "child.yaml")
    (folder / "child.yaml").write_text("extends: root.yaml\nmodels: large.yaml\n")
    with pytest.raises(HparamsError, match=r"models: expected a list of yaml files, but got 'large.yaml'"):
        read_hparams(folder / "child.yaml")


def test_the_transposed_variant_differs_in_its_upsampling_alone():
    hparams = Path(__file__).parents[2] / "hparams"
    resize, transpose = (_plain(read_hparams(hparams / f"{name}.yaml")) for name in ("resize", "transpose"))
    assert [pair for pair in zip(resize, transpose, strict=True) if pair[0] != pair[1]] == [
        ("upsampling: nearest", "upsampling: transpose")
    ]


def _plain(text):
    """Lines of a yaml file without comments."""
    lines = [line.split("#")[0].rstrip() for line in text.splitlines()]
    return [line for line in lines if line]
