"""Models that come with the package: found by name, complete, documented and small."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import ruamel.yaml
import torch

from sb_resizegan.inference import GenerativeEnhancement, ModelSourceError, model_sources, shipped_models
from sb_resizegan.training.exported_model import INTERFACES, write_model
from tests.inference.small import GENERATOR, small_generator

ROOT = Path(__file__).resolve().parents[2]
FILES = ["README.md", "custom.py", "generator.safetensors", "hyperparams.yaml"]
LARGEST = 3_000_000  # bytes of all files
SECTIONS = ("data", "licence", "command", "steps", "seed", "figures")


def problems(name):
    """What is wrong with a shipped model."""
    folder = shipped_models()[name]
    found = []
    files = sorted(path.name for path in folder.iterdir())
    if files != FILES:
        found.append(f"files {files}")
    if sum(path.stat().st_size for path in folder.iterdir()) > LARGEST:
        found.append("too large")
    card = folder / "README.md"
    lines = card.read_text(encoding="utf-8").splitlines() if card.is_file() else []
    headings = {line.lstrip("#").strip().lower() for line in lines if line.startswith("##")}
    found += [f"no section {section!r}" for section in SECTIONS if section not in headings]
    task = ruamel.yaml.YAML().load((folder / "hyperparams.yaml").read_text(encoding="utf-8")).get("task")
    if task not in INTERFACES:
        found.append(f"task {task!r}")
    else:
        try:
            INTERFACES[task][0].from_hparams(source=name, run_opts={"device": "cpu"})
        except ModelSourceError as error:
            found.append(str(error))
    return found


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder of shipped models with one that is as it should be."""
    folder = tmp_path / "pretrained" / "enhance-tiny"
    folder.mkdir(parents=True)
    settings = ruamel.yaml.YAML().load(f"sample_rate: 16000\n{GENERATOR}")
    card = "# Card\n" + "".join(f"## {section.capitalize()}\nText\n" for section in SECTIONS)
    write_model(folder, "enhancement", settings, small_generator().state_dict(), card)
    monkeypatch.setattr(model_sources, "PRETRAINED_FOLDER", folder.parent)
    return folder.parent


def test_what_comes_with_the_package_is_as_it_should_be():
    assert {name: problems(name) for name in shipped_models()} == {name: [] for name in shipped_models()}


def test_a_good_model_has_no_problems_and_bad_ones_have(shelf):
    assert problems("enhance-tiny") == []
    shutil.copytree(shelf / "enhance-tiny", shelf / "bad")
    (shelf / "bad" / "README.md").write_text("# Card\n## Data\n")
    (shelf / "bad" / "generator.safetensors").write_bytes(bytes(LARGEST))
    (shelf / "bad" / "events.log").touch()
    found = " ".join(problems("bad"))
    for words in ("events.log", "too large", "no section 'seed'", "truncated or damaged"):
        assert words in found
    assert "'data'" not in found


def test_a_model_is_loaded_by_name_and_its_folder_left_alone(shelf, tmp_path, monkeypatch):
    before = sorted(shelf.rglob("*"))
    monkeypatch.chdir(tmp_path)
    # A folder of the same name in the current folder is something else.
    (tmp_path / "enhance-tiny").mkdir()
    model = GenerativeEnhancement.from_hparams(source="enhance-tiny")
    assert model.enhance_batch(torch.ones(1, 800)).shape == (1, 800)
    assert sorted(shelf.rglob("*")) == before and not any((tmp_path / "enhance-tiny").iterdir())
    with pytest.raises(ModelSourceError, match=r"expected an exported model, but it has no hyperparams.yaml"):
        GenerativeEnhancement.from_hparams(source="./enhance-tiny")


def test_an_unknown_name_gets_the_known_ones(shelf):
    with pytest.raises(
        ModelSourceError, match=r"'enhance-tin' \(did you mean 'enhance-tiny'\?\); .*\['enhance-tiny'\]"
    ):
        GenerativeEnhancement.from_hparams(source="enhance-tin")


@pytest.mark.parametrize(
    "source", ["/no/such/folder", "../pretrained/enhance-tiny/..", Path("enhance-tiny"), ""]
)
def test_paths_are_no_names(shelf, source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelSourceError, match=r"no such model folder|no hyperparams.yaml"):
        GenerativeEnhancement.from_hparams(source=source)


def test_an_installed_package_has_the_models(shelf, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(
        ROOT / "sb_resizegan", source / "sb_resizegan", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(ROOT / "hparams", source / "hparams")
    shutil.copytree(shelf / "enhance-tiny", source / "sb_resizegan" / "pretrained" / "enhance-tiny")
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", tmp_path / "installed"]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=120)
    built = tmp_path / "installed" / "sb_resizegan"
    assert sorted(path.name for path in (built / "pretrained" / "enhance-tiny").iterdir()) == FILES
    assert (built / "inference" / "model_sources.py").is_file()
