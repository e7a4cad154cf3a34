"""A hook of mkdocs: one API page for each room of the package, with a section for each module."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PACKAGE = Path(__file__).parents[1] / "sb_resizegan"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for room in sorted(path.parent for path in PACKAGE.glob("*/__init__.py")):
        sections = []
        for path in sorted(path.relative_to(PACKAGE.parent) for path in room.rglob("*.py")):
            if path.name == "__init__.py":  # what it imports is described where it is defined
                level = 1 if path.parts[1:-1] == (room.name,) else 2
                options = f"\n    options: {{heading_level: {level}, members: false}}"
                sections.append(f"::: {'.'.join(path.parts[:-1])}{options}")
            elif not path.name.startswith("_"):
                sections.append(f"::: {'.'.join(path.with_suffix('').parts)}")
        text = "\n\n".join(sections)
        files.append(File.generated(config, f"api/{room.name}.md", content=text))
    return files
