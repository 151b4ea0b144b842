"""Files and templates nobody would write, by hypothesis; `make fuzz` does the same for minutes, led by coverage."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autopack.problem import Problem
from autopack.spec import template
from autopack.spec.document import Document
from tests.fuzz import targets
from tests.fuzz.targets import fills_in, validates
from tests.mutation.suite import FILES, WORLD

WORDS = (
    *(
        "autopack: playbook/v1",
        "tiers:",
        "- ",
        ": ",
        "\n",
        "  ",
        "\t",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "<<: *a",
        "!!int ",
    ),
    *("!!int ", '"', "'", "|", ">-", "---", "...", "# ", "%YAML 1.2", "? ", "null", "~", "012", "1e999", ".inf", "\0"),
    *(
        "\r\n",
        "\x85",
        "\u2028",
        "é",
        "🦊",
        "{{ inputs.service }}",
        "{{",
        "}}",
        "{% if a %}",
        "{% endif %}",
        "{% raw %}",
    ),
    *(
        "{% raw %}",
        "needs: [a]",
        "extends: a",
        "ci: x",
        "category: docs",
        "id: a",
        "name: x",
        "goal: x",
        "price: unmetered",
    ),
)
SEEDS = [(WORLD / path).read_text(encoding="utf-8") for path in FILES.values()]
SEEDED = st.sampled_from(SEEDS)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid file after a few cuts, repetitions and insertions."""
    text = draw(SEEDED)
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 40)))
        new = draw(st.one_of(st.just(""), st.sampled_from(WORDS), st.just(text[start:end] * 2), st.text(max_size=8)))
        text = text[:start] + new + text[end:]
    return text.encode("utf-8", "replace")


@settings(max_examples=150, deadline=None)
@given(damaged())
def test_no_damage_to_a_file_breaks_its_check(source: bytes) -> None:
    validates(source)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=40).map("".join))
def test_no_heap_of_words_breaks_a_check(text: str) -> None:
    validates(text.encode("utf-8", "replace"))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_break_a_check(source: bytes) -> None:
    validates(source)


PARTS = (
    *("{{", "}}", "{%", "%}", "{#", "#}", "{{-", "-%}", "inputs", ".", "service", "project", "name", "run", "id", "|"),
    *("upper", "replace", "(", ")", ",", "'a'", '"b"', "if", "else", "elif", "endif", "==", "~", "*", "9", "not", "in"),
    *(
        " ",
        "\n",
        "for",
        "set",
        "raw",
        "endraw",
        "is",
        "[",
        "]",
        "inputs.service",
        "inputs.burst",
        "{{ inputs.service }}",
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=3)), max_size=25).map("".join))
@example("{{ inputs.service | replace('', 'xxxxxxxx') | replace('', 'xxxxxxxx') | replace('', 'xxxxxxxx') }}")
@example("{{{ inputs.service }}} {{ inputs.on }}{{inputs.burst}}{ {{ project.name }} { {{ run.id }}")
@example("{{\r\n inputs.service }}\r\n{{ inputs.on }}")
@example("{% if inputs.on %}{{ inputs.burst ~ inputs.service }}{% endif %}")
def test_no_template_breaks_its_check_and_what_passes_can_be_filled_in(text: str) -> None:
    fills_in(text)


# --- that it would find something -------------------------------------------------------------------------


def test_a_crash_that_is_planted_in_the_reading_of_templates_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    good = template.check

    def planted(document: Document, *rest: Any) -> list[Problem]:
        if "{#" in document.text:
            raise IndexError("planted")
        return good(document, *rest)

    monkeypatch.setattr(template, "check", planted)
    with pytest.raises(IndexError, match="planted"):
        test_no_template_breaks_its_check_and_what_passes_can_be_filled_in()


def test_a_place_outside_of_the_file_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    good = targets.check

    def planted(*given: Any, **more: Any) -> Any:
        checked = good(*given, **more)
        return checked._replace(
            problems=[_astray(each) if each.code == "AP2001" else each for each in checked.problems]
        )

    monkeypatch.setattr(targets, "check", planted)
    with pytest.raises(AssertionError, match="end_line=999"):
        test_no_damage_to_a_file_breaks_its_check()


def _astray(found: Problem) -> Problem:
    return found._replace(span=found.span and found.span._replace(end_line=999))
