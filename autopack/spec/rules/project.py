"""A project: its branches, paths and selectors."""

import re
from collections.abc import Collection
from fnmatch import fnmatchcase

from autopack.spec.at import Steps
from autopack.spec.nearest import did_you_mean
from autopack.spec.rules.scopes import path_at
from autopack.spec.rules.written import Found, Names, Written

# Not compiled here: most files have no branches, and compiling takes longer than judging them.
_NO_BRANCH = r"(?:^|/)\.|\.\.|//|@\{|[\x00-\x20\x7f~^:?*\[\\]|\.lock(?:/|$)|^/|[/.]$|^@$|^-"
_NO_BRANCH_CHARS = r"(?:\.\.|@\{|[\x00-\x20\x7f~^:?*\[\\])+"
_WORD_IN_BRACES = r"\{(?!run_id\})[^}]*\}?"
_FOR_INSTANCE = "such as autonomous/{run_id}"


def branches(written: Written, _names: Names) -> Found:
    for key in ("base_branch", "integration_branch"):
        name = written.get(key) or "main"
        if re.search(_NO_BRANCH, name):
            yield written.at((key,), "AP3016", f'git takes no branch called "{name}"', _taken(name, key))
        elif key == "integration_branch" and (word := re.search(_WORD_IN_BRACES, name)):
            message = f'"{word[0]}" stands for nothing in the name of a branch'
            written_right = re.sub(_WORD_IN_BRACES, "{run_id}", name)
            advice = f"write `{written_right}`: it takes no other word"
            yield written.at((key,), "AP3016", message, advice)


def _taken(name: str, key: str) -> str:
    """A name git takes that is as near to this one as it gets."""
    parts = (re.sub(_NO_BRANCH_CHARS, "-", part).strip("-.").removesuffix(".lock") for part in name.split("/"))
    near = "/".join(filter(None, parts))
    usual = "main" if key == "base_branch" else "autonomous/{run_id}"
    return f"write `{usual if not near or re.search(_NO_BRANCH, near) else near}`"


def protected_integration(written: Written, _names: Names) -> Found:
    """Told at the integration branch; at what protects it, where the integration branch is the default."""
    branch = written.get("integration_branch")
    if branch is None:
        return
    protected = [steps for steps, pattern in written.items("protected_branches") if fnmatchcase(branch, pattern)]
    if written.get("base_branch") == branch:
        protected.append(("base_branch",))
    if protected:
        told = [steps for steps in (("integration_branch",), *protected) if written.document.has(steps)]
        labels = [written.label(steps, "protected here") for steps in told[1:2]]
        message = f'the integration branch "{branch}" is protected'
        yield written.at(told[0], "AP3015", message, _FOR_INSTANCE, *labels)


_STORES = ("sqlite:///", "postgresql://", "postgresql+psycopg://")


def store(written: Written, _names: Names) -> Found:
    url = written.get("store")
    if url is None or url == "sqlite" or url.startswith(_STORES):
        return
    advice = "write `sqlite`, or a URL that starts with postgresql+psycopg://"
    yield written.at(
        ("store",), "AP2006", f'"{url.partition("://")[0]}" is no store that autopack keeps runs in', advice
    )


def paths_of_project(written: Written, _names: Names) -> Found:
    for steps, path in written.items("playbooks"):
        yield from path_at(written, steps, path)
    yield from path_at(written, ("artifacts", "path"), written.get("artifacts", "path"))


def selectors(written: Written, _names: Names) -> Found:
    """Whether each selection can be read; what it selects, a plan decides."""
    named = written.get("selectors") or {}
    for name in named:
        for key in ("select", "exclude"):
            for steps, text in written.items("selectors", name, key):
                yield from _selection(written, steps, text, named)


def _selection(written: Written, steps: Steps, text: str, named: Collection[str]) -> Found:
    from autopack.spec.selection import Unreadable, read  # noqa: PLC0415 - most projects name no selection

    try:
        atoms = [atom for each in read(text) for atom in each]
    except Unreadable as error:
        yield written.at(steps, "AP3032", error.fact, str(error.advice))  # said, not done: it speaks of a part of it
        return
    for atom in atoms:
        if atom.method == "selector" and atom.value not in named:
            advice = str(did_you_mean(atom.value, named) or f"there are {', '.join(named)}")
            yield written.at(steps, "AP3032", f'the project has no selector "{atom.value}"', advice)
