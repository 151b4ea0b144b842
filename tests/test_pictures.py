"""Pictures of a terminal are captured, not drawn."""

import re
from types import ModuleType

import pytest

from autopack.spec.load import check
from tests.beside import ROOT, of_docs

SHOWN = ROOT / "docs" / "pictures" / "findings"


@pytest.fixture(scope="module")
def terminal() -> ModuleType:
    return of_docs("terminal")


def test_the_picture_of_findings_is_what_a_terminal_shows_today(terminal: ModuleType) -> None:
    """Colours and labels as `validate` prints them to a person."""
    shown = terminal.captured(SHOWN, ("validate",), 108)
    assert "\x1b[1;31merror[AP5001]\x1b[0m" in shown
    assert (ROOT / "docs/pictures/findings.svg").read_text() == terminal.picture(shown, 108)


def test_every_finding_of_the_project_is_in_the_picture_in_its_colour() -> None:
    svg = (ROOT / "docs/pictures/findings.svg").read_text()
    shown = re.findall(r'fill="(#\w+)" font-weight="bold" textLength="\d+" xml:space="preserve">(\w+\[AP\d+\])<', svg)
    found = check(str(SHOWN)).problems
    assert shown == [("#ff7b72", f"{each.severity}[{each.code}]") for each in found]
    assert len({each.code for each in found}) == 7
    assert len([label for each in found for label in each.labels]) == 4


def test_a_line_that_is_too_long_goes_on_below_in_its_colour(terminal: ModuleType) -> None:
    svg = terminal.picture("\x1b[1;31mabcdef\x1b[0mgh\n", 4)
    assert re.findall(r'y="(\d+)" fill="(#\w+)"( font-weight="bold")?.*>(\w+)</text>', svg) == [
        ("46", "#ff7b72", ' font-weight="bold"', "abcd"),
        ("64", "#ff7b72", ' font-weight="bold"', "ef"),
        ("64", "#c9d1d9", "", "gh"),
    ]
