"""What may be fed with anything: the way of `validate` from bytes to text, and templates from text to text.

Each either returns or raises AssertionError; every other exception is a finding of the fuzzer.
"""

import json
from collections.abc import Mapping

from autopack.problem import CODES, Problem
from autopack.problem.report import FORMATS, render
from autopack.spec import schema, template
from autopack.spec.document import read
from autopack.spec.files import STDIN
from autopack.spec.load import check
from autopack.spec.source import BREAK, readable

NOWHERE = "/nonexistent"
INPUTS: Mapping[str, object] = {"service": "orders", "burst": 5, "on": True}
AROUND = (
    "autopack: playbook/v1\nname: x\ninputs: {service: {}, burst: {type: integer}, on: {type: boolean}}\n"
    "tiers: [{id: T1, phases: [{id: a, category: docs, scope: {write: [a]}, goal: %s}]}]\n"
)


def validates(source: bytes) -> list[Problem]:
    """All that is found in a file, after a look at whether it can be true."""
    found = check(NOWHERE, ["-"], stdin=source, today="2026-11-22")
    text = readable(source)
    lines = BREAK.split(text)
    for problem in found.problems:
        assert problem.severity == CODES[problem.code].severity
        assert problem.span is not None
        for span in (problem.span, *(label.span for label in problem.labels)):
            if span.path != STDIN:
                continue
            assert (span.line, span.column) <= (span.end_line, span.end_column), problem
            assert 1 <= span.line <= span.end_line <= len(lines), problem
            assert 1 <= span.column <= len(lines[span.line - 1]) + 1, problem
            assert 1 <= span.end_column <= len(lines[span.end_line - 1]) + 2, problem
    assert len(set(found.problems)) == len(found.problems)
    assert found.problems == check(NOWHERE, ["-"], stdin=source, today="2026-11-22").problems
    for form in FORMATS:
        shown = render(found.problems, {STDIN: text}, form, color=False, files=1)
        assert not any(char in shown for char in "\0\x1b\x07\x9b\u202e")
    return found.problems


def fills_in(text: str) -> str | None:
    """A template filled in, if nothing is wrong with it."""
    try:
        source = (AROUND % json.dumps(text)).encode()
    except UnicodeEncodeError:
        return None
    document, problems = read("it.yaml", source)
    if document is None or problems:
        return None
    problems = template.check(document, document.value, INPUTS)
    if problems:
        return None
    value, late = template.filled_in(document, template.Filling(INPUTS, "shop"))
    filled: str = value["tiers"][0]["phases"][0]["goal"]
    assert late or len(filled) <= template.CHARS_MAX
    _as_jinja2_would(text)
    return filled


def _as_jinja2_would(text: str) -> None:
    """What is read and filled in without jinja2, because only names are in braces, is no other than with it."""
    filling = template.Filling(INPUTS, "shop")
    if (plain := template._filled_plain(text, filling)) is not None:
        assert plain == template._rendered(text, filling)
    known: template.Known = {"inputs": INPUTS.keys(), "project": ("name",), "run": ("id",)}
    if schema.holds_template(text) and template._plain(text, known):
        assert template._faults(text, known) == []
