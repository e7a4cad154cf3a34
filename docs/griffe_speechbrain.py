"""Lets mkdocstrings read this project's docstrings: SpeechBrain's sections, and Sphinx's cross-references.

SpeechBrain writes numpy's form with ``Arguments`` for ``Parameters``, ``Yields`` and ``Example``. A reference
``:class:`~package.module.Name``` becomes a link, which a strict build checks.
"""

import re

import griffe

SECTIONS = {"Arguments": "Parameters", "Example": "Examples"}
ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):`(~?)([\w.]+)`")


class SpeechBrainDocstrings(griffe.Extension):
    """Rewrites each docstring before it is parsed."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: object) -> None:
        _rewrite(pkg)


def _rewrite(obj: griffe.Object) -> None:
    if obj.docstring is not None:
        text = obj.docstring.value
        for ours, theirs in SECTIONS.items():
            text = re.sub(rf"^{ours}\n-+$", f"{theirs}\n{'-' * len(theirs)}", text, flags=re.MULTILINE)
        obj.docstring.value = ROLE.sub(lambda found: _link(obj, *found.groups()), text).replace("``", "`")
    for member in obj.members.values():
        if not member.is_alias:
            _rewrite(member)


def _link(obj: griffe.Object, short: str, target: str) -> str:
    words = target.rsplit(".", 1)[-1] if short else target
    if target.startswith(f"{obj.package.name}."):
        found = obj.package[target.split(".", 1)[1]]
    elif "." in target:  # another package's
        return f"`{words}`"
    else:
        scope = obj if obj.is_class or obj.is_module else obj.parent
        while scope is not None and target not in scope.all_members:
            scope = scope.parent
        if scope is None:
            raise ValueError(f"{obj.path}: nothing called {target!r} to refer to")
        found = scope.all_members[target]
    # Where a name is imported from elsewhere or inherited, it is described at its own place.
    return f"[`{words}`][{found.canonical_path}]"
