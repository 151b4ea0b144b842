import subprocess
import sys

from autopack.problem import Label, Problem, Span, order, problem


def at(path: str, line: int, column: int) -> Span:
    return Span(path, line, column, line, column + 1)


def test_findings_are_told_by_path_then_line_then_column_then_code():
    found = [
        problem("AP1006", "tag", at("b.yaml", 1, 1)),
        problem("AP1006", "tag", at("a.yaml", 10, 1)),
        problem("AP1006", "tag", at("a.yaml", 9, 2)),
        problem("AP1006", "tag", at("a.yaml", 9, 1)),
        problem("AP1005", "key", at("a.yaml", 9, 1)),
    ]
    assert order(found) == list(reversed(found))


def test_the_same_finding_twice_is_told_once():
    twice = problem("AP1005", "key", at("a.yaml", 2, 1), (Label(at("a.yaml", 1, 1), "first"),), "keep one")
    other = twice._replace(message="other key")
    assert order([twice, other, twice]) == [twice, other]


def test_what_has_no_place_comes_first():
    somewhere, nowhere = problem("AP1001", "header", at("a.yaml", 1, 1)), problem("AP1013", "large", None)
    assert order([somewhere, nowhere]) == [nowhere, somewhere]


def test_a_finding_knows_its_severity_and_where_it_is_explained():
    found = problem("AP1016", "no alias uses the anchor &x", at("a.yaml", 1, 4))
    assert found == Problem("AP1016", "warning", "no alias uses the anchor &x", at("a.yaml", 1, 4), (), None)
    assert found.docs == "docs/reference/codes.md#ap1016"


def test_importing_the_room_loads_nothing_slow():
    slow = {"dataclasses", "inspect", "pathlib", "json", "unicodedata", "difflib", "yaml"}
    program = "import sys, autopack.problem; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-S", "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert slow & set(answer.stdout.split()) == set()
