"""What is imported is declared, the core does without the extras, a missing extra is named in a line."""

import ast
import os
import re
import runpy
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import setuptools

from sb_resizegan.utils.extras import EXTRAS

INSTALLED = packages_distributions()
ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sb_resizegan"
# Rooms that `pip install sb_resizegan` without an extra has to be able to use.
CORE_ROOMS = ("nnet", "models", "losses", "augment", "dataio", "metrics", "inference", "utils", "brains")
# Files that only a process of their own loads.
ALONE = ("official_pesq_process.py",)
# Declared for what others import and don't declare, or leave open.
NEEDED_BY_OTHERS = {
    "torchaudio": "speechbrain",
    "librosa": "speechmos",
    "onnxruntime": "speechmos",
    "requests": "speechmos",
    "setuptools": "resemblyzer",
    "onnx": "torch",
    "onnxscript": "torch",
}


@pytest.fixture(scope="module")
def declared():
    """Distributions that setup.py asks for, by extra; '' is the core."""
    seen = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", lambda **options: seen.update(options))
        runpy.run_path(str(ROOT / "setup.py"))
    groups = {"": seen["install_requires"], **seen["extras_require"]}
    return {
        extra: {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in lines}
        for extra, lines in groups.items()
    }


def imports(path, lazy):
    """Top-level names that a file imports from elsewhere, with those within functions or without."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    within = {
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if not lazy and node in within:
            continue
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        for name in names:
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and top != "sb_resizegan":
                yield name


def distributions(module):
    """Names under which a module's distribution is declared; `ruamel` and the like are shared by several."""
    found = {name.lower().replace("_", "-") for name in INSTALLED.get(module.split(".")[0], [])}
    longest = {name for name in found if module.lower().startswith(name)}
    return longest or found or {module.split(".")[0].lower().replace("_", "-")}


def test_everything_that_is_imported_is_declared(declared):
    everywhere = set().union(*(declared[extra] for extra in ("", *EXTRAS)))
    undeclared = {
        (str(path.relative_to(ROOT)), name)
        for path in PACKAGE.rglob("*.py")
        for name in imports(path, lazy=True)
        if not distributions(name) & everywhere
    }
    assert undeclared == set()


def test_the_core_s_rooms_import_no_extra_when_they_are_loaded(declared):
    wrong = {
        (str(path.relative_to(ROOT)), name)
        for room in CORE_ROOMS
        for path in (PACKAGE / room).rglob("*.py")
        for name in imports(path, lazy=False)
        if not distributions(name) & declared[""] and path.name not in ALONE
    }
    assert wrong == set()


def test_everything_that_is_declared_is_imported(declared):
    used = {
        name
        for path in PACKAGE.rglob("*.py")
        for module in imports(path, lazy=True)
        for name in distributions(module)
    }
    # dnsmos is asked for by its name.
    used.add("speechmos")
    used.add("tensorboard")  # through SpeechBrain's logger
    for extra in ("", *EXTRAS):
        assert declared[extra] - used - set(NEEDED_BY_OTHERS) == set(), extra


def test_the_package_knows_its_extras(declared):
    for extra, modules in EXTRAS.items():
        named = {name.lower().replace("_", "-") for name in modules}
        assert named == declared[extra] - {"setuptools"}


BLOCKER = f"""
import sys
BLOCKED = {sorted({name for modules in EXTRAS.values() for name in modules} - {"requests"})}
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
from importlib import util
real = util.find_spec
util.find_spec = lambda name, *rest: None if name in BLOCKED else real(name, *rest)
"""


def without_extras(code):
    """Code in a process that has the core alone."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", BLOCKER + code]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)


def test_the_core_loads_and_runs_models(tmp_path):
    code = f"""
import numpy, soundfile, torch
from sb_resizegan.commands.main import main
from sb_resizegan.inference import SpeechWindowGenerator
from sb_resizegan.metrics import pesq
soundfile.write(r"{tmp_path}/a.wav", 0.1 * numpy.random.default_rng(0).standard_normal(16000), 16000)
assert main(["enhance", r"{tmp_path}/a.wav", "-o", r"{tmp_path}/out", "--device", "cpu"]) == 0
assert SpeechWindowGenerator.from_hparams(source="windows-nearest").generate(2, seed=0).shape == (2, 2048)
assert main(["measure", r"{tmp_path}/a.wav"]) == 0
pesq(torch.randn(1, 16000), torch.randn(1, 16000))
"""
    process = without_extras(code)
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "out" / "a.wav").is_file()


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["train-gan", "resize.yaml"], "train"),
        (["train-enhance", "enhance.yaml"], "train"),
        (["train-vocoder", "vocoder.yaml"], "train"),
        (["score", ".", "."], "scores"),
        (["evaluate", "enhance-base", "--data", "."], "scores"),
        (["report", "."], "train"),
    ],
)
def test_a_missing_extra_is_named_in_one_line(words, extra):
    process = without_extras(f"from sb_resizegan.commands.main import main\nsys.exit(main({words}))")
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert line.startswith(f"error: sb-resizegan {words[0]} needs ") and line.endswith(f"[{extra}]'")
