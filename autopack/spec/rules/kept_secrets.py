"""Secrets in a specification, which is committed, frozen into plans and shown to models."""

import re
from collections.abc import Iterator

from autopack.problem import Problem, problem
from autopack.spec.document import Document

# What a file must hold to be worth the search. In the small files that hold settings values behind telling names are
# looked for as well; in a playbook, which may have megabytes, only those that are known by how they begin.
_BEGINNINGS = (
    *("-----BEGIN", "AKIA", "ASIA", "ABIA", "ACCA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"),
    *("sk-", "xox", "k_live_", "AIza", "npm_", "pypi-", "hf_", ".eyJ"),
)
_SETTINGS = frozenset({"project", "ci", "models", "ruleset", "scenario"})
_SETTINGS_CHARS_MAX = 100_000
_ADVICE = "take it back, name the variable in the CI file's `env.pass`, and set it where autopack is started"


_LONG_WORD = re.compile(r"[A-Za-z0-9+/_.~-]{20,}")


def _may_hold_any(text: str) -> bool:
    """Whether a word in it is long enough and has the digits that a random one has."""
    return any(sum(map(str.isdigit, word)) > 1 for word in _LONG_WORD.findall(text))


def kept_secrets(document: Document) -> Iterator[Problem]:
    text = document.text
    every = document.kind in _SETTINGS and len(text) <= _SETTINGS_CHARS_MAX and _may_hold_any(text)
    if not every and not any(beginning in text for beginning in _BEGINNINGS):
        return
    from autopack.spec.credentials import secrets, well_known  # noqa: PLC0415 - a dozen patterns that few files need

    seen = 0
    for found in sorted((secrets if every else well_known)(text), key=lambda secret: (secret.start, -secret.end)):
        if found.start >= seen:
            seen = found.end
            span = document.stretch(found.start, found.end)
            yield problem("AP5009", f"this looks like a secret ({found.name})", span, (), _ADVICE)


def secret_in(value: str) -> str:
    """Which kind of secret a given value holds, or nothing."""
    from autopack.spec.credentials import secrets  # noqa: PLC0415 - as above

    return next((found.name for found in secrets(value)), "")
