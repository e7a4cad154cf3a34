"""A hook of mkdocs: one API page for each room of the package, with a section for each module."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PACKAGE = Path(__file__).parents[1] / "sb_resizegan"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for room in sorted(path.parent for path in PACKAGE.glob("*/__init__.py")):
        modules = sorted(path.relative_to(PACKAGE.parent) for path in room.rglob("*.py"))
        names = [".".join(path.with_suffix("").parts) for path in modules if not path.name.startswith("_")]
        own = f"::: {PACKAGE.name}.{room.name}\n    options: {{heading_level: 1, members: false}}"
        text = "\n\n".join([own, *(f"::: {name}" for name in names)])
        files.append(File.generated(config, f"api/{room.name}.md", content=text))
    return files
