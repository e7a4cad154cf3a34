"""The rooms of the package: who may import from whom."""

import ast
from pathlib import Path

import sb_resizegan

ROOT = Path(sb_resizegan.__file__).parent


def arrows():
    """From each room to those that it imports from."""
    found = {}
    for path in ROOT.rglob("*.py"):
        room = path.relative_to(ROOT).parts[0]
        rooms = found.setdefault(room, set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            inside = [name.split(".") for name in names if name.startswith("sb_resizegan.")]
            rooms.update(parts[1] for parts in inside if parts[1] != room)
    return found


def test_no_arrow_runs_upwards():
    """Rooms can be stacked: each imports from those below it alone."""
    left = arrows()
    assert {"nnet", "metrics", "evaluation", "report", "training"} <= set(left)
    while left:
        lowest = [room for room, below in left.items() if not below & set(left)]
        assert lowest, f"these import from each other: {left}"
        left = {room: below for room, below in left.items() if room not in lowest}


def test_what_computes_knows_nothing_of_what_writes():
    found = arrows()
    for room in ("nnet", "models", "losses", "metrics", "augment", "dataio", "inference", "evaluation"):
        assert not found[room] & {"report", "training", "commands"}, room


def test_every_module_lies_in_a_room():
    assert {path.name for path in ROOT.glob("*.py")} <= {"__init__.py", "__main__.py"}


def test_a_file_holds_one_idea():
    """No file of the package has more than 300 lines."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.rglob("*.py")}
    assert not {str(path): length for path, length in lengths.items() if length > 300}


def test_no_two_files_have_one_name():
    """A name says which file is meant: none stands twice, nor a plural beside its singular.

    The files of the subcommands are named by what a user types, singular or plural.
    """
    paths = [path.relative_to(ROOT) for path in ROOT.rglob("*.py")]
    paths = [path for path in paths if path.parts[0] != "pretrained" and not path.stem.startswith("__")]
    same, alike = {}, {}
    for path in paths:
        same.setdefault(path.stem, []).append(str(path))
        if path.parts[0] != "commands":
            alike.setdefault(path.stem.removesuffix("s"), []).append(str(path))
    assert len(same) > 100
    assert [found for found in [*same.values(), *alike.values()] if len(found) > 1] == []
