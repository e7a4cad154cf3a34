"""Lets mkdocstrings read this project's docstrings: SpeechBrain's sections, and names as links.

SpeechBrain writes numpy's form with ``Arguments`` for ``Parameters``, ``Yields`` and ``Example``. A name in
single backticks, `Upsample1d` or `pesq_loss()`, becomes a link if it is one of this package's: one that is
visible where it is written, or the only class or function of that name. A full address that does not exist
stops the build, and so does a role of Sphinx. In double backticks stand values, shapes and code.
"""

import re
from collections import defaultdict

import griffe

SECTIONS = {"Arguments": "Parameters", "Example": "Examples"}
ROLE = re.compile(r":[a-z]+:`[^`]*`")
NAME = re.compile(r"(?<!`)`([A-Za-z_][\w.]*)(\(\))?`(?!`)")


class SpeechBrainDocstrings(griffe.Extension):
    """Rewrites each docstring before it is parsed."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: object) -> None:
        known: dict[str, set[str]] = defaultdict(set)
        for obj in _walk(pkg):
            if obj.is_class or obj.is_function:
                known[obj.name].add(obj.path)
        for obj in _walk(pkg):
            if obj.docstring is not None:
                text = obj.docstring.value
                if role := ROLE.search(text):
                    raise ValueError(f"{obj.path}: expected a name in backticks, but got {role[0]}")
                for ours, theirs in SECTIONS.items():
                    text = re.sub(
                        rf"^{ours}\n-+$", f"{theirs}\n{'-' * len(theirs)}", text, flags=re.MULTILINE
                    )
                prose, *examples = text.split("Examples\n--------\n", 1)
                prose = NAME.sub(lambda found, obj=obj: _link(found, obj, known), prose).replace("``", "`")
                obj.docstring.value = "Examples\n--------\n".join([prose, *examples])


def _walk(obj: griffe.Object) -> list[griffe.Object]:
    own = [member for member in obj.members.values() if not member.is_alias]
    return [obj, *(found for member in own for found in _walk(member))]


def _link(found: re.Match[str], obj: griffe.Object, known: dict[str, set[str]]) -> str:
    name = found[1]
    if name.startswith(f"{obj.package.name}."):
        path = obj.package[name.split(".", 1)[1]].canonical_path
    elif obj.is_function and name in [parameter.name for parameter in obj.parameters] and not found[2]:
        return found[0]
    else:
        path = _in_scope(name, obj)
        if path is None and len(known[name]) == 1:
            (path,) = known[name]
    # Private names have no place of their own in the pages.
    shown = path is not None and not any(part.startswith("_") for part in path.split("."))
    return f"[{found[0]}][{path}]" if shown else found[0]


def _in_scope(name: str, obj: griffe.Object) -> str | None:
    """Where a name is described that is seen from an object: as its member, or its class's or module's."""
    first, *rest = name.split(".")
    scope = obj
    while scope is not None:
        if (scope.is_class or scope.is_module) and first in scope.all_members:
            target = scope.all_members[first]
            for part in rest:
                if (target.is_alias and not target.resolved) or part not in target.all_members:
                    return None
                target = target.all_members[part]
            # What is imported from elsewhere or inherited is described at its own place.
            path = target.canonical_path
            described = path.startswith(f"{obj.package.name}.") and (target.is_alias or target.has_docstring)
            return path if described else None
        scope = scope.parent
    return None
