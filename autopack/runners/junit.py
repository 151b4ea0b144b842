"""JUnit XML -> one outcome a test. The report is written by the code under test, so nothing in it is believed.

Knows the shapes of pytest, unittest-xml-reporting, jest-junit and surefire. Does not know who ran the tests, nor what
a failure means.
"""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal
from xml.parsers import expat

MAX_BYTES = 20_000_000
MAX_TESTS = 100_000
MAX_DEPTH = 64
MESSAGE_CHARS = 16_000
ID_CHARS = 500

Outcome = Literal["passed", "failed", "error", "skipped"]

_WORST_LAST: tuple[Outcome, ...] = ("skipped", "passed", "failed", "error")
_CHILD: dict[str, Outcome] = {"failure": "failed", "error": "error", "skipped": "skipped"}
_UNRUN = {"notrun", "disabled", "suppressed", "skipped"}  # GoogleTest and others say it in an attribute
_TEST_MODULE = re.compile(r"test_\w*|\w+_tests?")


@dataclass(frozen=True, slots=True)
class TestResult:
    __test__ = False  # pytest collects classes named Test...

    test_id: str
    outcome: Outcome
    duration_s: float
    message: str


@dataclass(frozen=True, slots=True)
class JunitRefused:
    """A report that proves nothing. `fact` names what was found, and where."""

    step: str
    fact: str

    def __str__(self) -> str:
        return f"step {self.step}: the JUnit report is refused: {self.fact}. Have the step write plain JUnit XML."


def read_junit(data: bytes, *, step: str, worktree: str | None = None) -> tuple[TestResult, ...] | JunitRefused:
    """One result a test id (the worst, where a report names a test twice), sorted by id.

    With `worktree`, dotted module names become the files found there and absolute file names become relative;
    without it, module names are told from classes by their spelling.
    """
    if len(data) > MAX_BYTES:
        return JunitRefused(step, f"it has more than {MAX_BYTES:,} bytes")
    reader = _Reader()
    try:
        reader.read(data)
    except _Refused as problem:
        return JunitRefused(step, str(problem))
    except expat.ExpatError as problem:  # without its line and column: they move with every duration in the file
        return JunitRefused(step, f"it is not well-formed XML ({expat.ErrorString(problem.code)})")
    except (ValueError, LookupError) as problem:
        return JunitRefused(step, f"it is in an encoding that can't be read ({problem})")
    return _worst_by_id(_result(case, worktree) for case in reader.cases)


def _worst_by_id(results: Iterator[TestResult]) -> tuple[TestResult, ...]:
    worst: dict[str, TestResult] = {}
    for result in results:
        known = worst.get(result.test_id)
        if known is None or _badness(result) > _badness(known):
            worst[result.test_id] = result
    return tuple(worst[test_id] for test_id in sorted(worst))


def _badness(result: TestResult) -> tuple[int, str]:
    return _WORST_LAST.index(result.outcome), result.message


# Reading ----------------------------------------------------------------------------------------------------------


class _Refused(Exception):
    pass


@dataclass(slots=True)
class _Case:
    suite: str
    attributes: dict[str, str]
    outcome: Outcome = "passed"
    parts: list[str] = field(default_factory=list)

    def take(self, outcome: Outcome, summary: str, text: str) -> None:
        """A test may both fail and, in its teardown, err: the worse outcome, both texts."""
        if self.outcome == "passed" or _WORST_LAST.index(outcome) > _WORST_LAST.index(self.outcome):
            self.outcome = outcome
        first_line = summary.strip().split("\n")[0].strip()
        body = text.strip("\n")
        self.parts += [part for part in (summary.strip() if first_line not in body else "", body) if part]


class _Reader:
    """Keeps the test cases only: no tree, no properties, no captured output."""

    def __init__(self) -> None:
        self.cases: list[_Case] = []
        self._open: list[str] = []
        self._suites: list[str] = []
        self._case: _Case | None = None
        self._summary = ""
        self._text: list[str] | None = None

    def read(self, data: bytes) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.Parse(data, True)

    def _doctype(self, name: str, *_identifiers: object) -> None:
        """Entities can only be declared in a DOCTYPE: with it, their expansion and their files are refused too."""
        raise _Refused(f"it declares a DOCTYPE ({name[:40]}), which could define entities")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        if not self._open and tag not in ("testsuites", "testsuite"):
            raise _Refused(f"its root is <{tag[:40]}>, not <testsuites> or <testsuite>")
        if len(self._open) >= MAX_DEPTH:
            raise _Refused(f"it nests more than {MAX_DEPTH} elements")
        self._enter(tag, attributes)
        self._open.append(tag)

    def _enter(self, tag: str, attributes: dict[str, str]) -> None:
        parent = self._open[-1] if self._open else ""
        if tag == "testsuite":
            self._suites.append(attributes.get("name", ""))
        elif tag == "testcase":
            self._case = self._add(attributes)
        elif tag in _CHILD and parent == "testsuite":  # a suite that broke before its first test
            self._case = self._add({"name": self._suites[-1] or "testsuite"})
            self._listen(attributes)
        elif tag in _CHILD and parent == "testcase":
            self._listen(attributes)

    def _add(self, attributes: dict[str, str]) -> _Case:
        if len(self.cases) >= MAX_TESTS:
            raise _Refused(f"it lists more than {MAX_TESTS:,} tests")
        case = _Case(self._suites[-1] if self._suites else "", attributes)
        if {attributes.get("status", "").lower(), attributes.get("result", "").lower()} & _UNRUN:
            case.outcome = "skipped"
        self.cases.append(case)
        return case

    def _listen(self, attributes: dict[str, str]) -> None:
        self._summary = attributes.get("message", "") or attributes.get("type", "")
        self._text = []

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, _name: str) -> None:
        tag = self._open.pop()
        if tag in _CHILD and self._text is not None and self._case is not None:
            self._case.take(_CHILD[tag], self._summary, "".join(self._text))
            self._text = None
        elif tag == "testsuite":
            self._suites.pop()


# Naming -----------------------------------------------------------------------------------------------------------


def _result(case: _Case, worktree: str | None) -> TestResult:
    return TestResult(
        test_id=_one_line(_test_id(case, worktree))[:ID_CHARS],
        outcome=case.outcome,
        duration_s=_seconds(case.attributes.get("time", "")),
        message=_bounded("\n".join(case.parts)),
    )


def _test_id(case: _Case, worktree: str | None) -> str:
    name = case.attributes.get("name", "")
    owner = case.attributes.get("classname", "")
    file = _relative(case.attributes.get("file", ""), worktree)
    if file:
        return "::".join(part for part in (file, *_inside(owner or name, file), name if owner else "") if part)
    module, classes = _module_and_classes(owner or name, case.suite, worktree)
    if not module:
        return "::".join(part for part in (owner if owner != name else "", name) if part)
    return "::".join((module, *classes, name) if owner else (module, *classes))


def _inside(owner: str, file: str) -> tuple[str, ...]:
    """What `classname` adds to the file: its classes; nothing where it only repeats the file."""
    stem = os.path.splitext(file)[0].replace("/", ".")
    parts = owner.split(".")
    for count in range(len(parts), 0, -1):
        if f".{stem}".endswith("." + ".".join(parts[:count])):
            return tuple(parts[count:])
    return (owner,) if owner != file else ()


def _module_and_classes(owner: str, suite: str, worktree: str | None) -> tuple[str, tuple[str, ...]]:
    """`tests.test_x.TestA` -> `tests/test_x.py`, (`TestA`,). An empty module: this isn't Python."""
    parts = owner.split(".")
    if not all(part.isidentifier() for part in parts):
        return "", ()
    count = _spelled_like_module(parts, suite) if worktree is None else _found(parts, worktree)
    return ("/".join(parts[:count]) + ".py", tuple(parts[count:])) if count else ("", ())


def _found(parts: list[str], worktree: str) -> int:
    counts = range(len(parts), 0, -1)
    return next((n for n in counts if os.path.isfile(os.path.join(worktree, *parts[:n]) + ".py")), 0)


def _spelled_like_module(parts: list[str], suite: str) -> int:
    """Up to the last lower-case name; only where something says Python: pytest's suite, or a name like test_x."""
    is_python = suite == "pytest" or any(_TEST_MODULE.fullmatch(part) for part in parts)
    return max((n for n, part in enumerate(parts, 1) if part[0].islower()), default=0) if is_python else 0


def _relative(file: str, worktree: str | None) -> str:
    file = file.replace("\\", "/")
    for root in (worktree, os.path.realpath(worktree)) if worktree else ():
        file = file.removeprefix(root.rstrip("/") + "/")
    return file.removeprefix("./")


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).strip()


def _bounded(text: str) -> str:
    """A traceback's beginning says where, its end says what: both are kept."""
    if len(text) <= MESSAGE_CHARS:
        return text
    head = MESSAGE_CHARS // 4
    marker = "\n[...]\n"
    return text[:head] + marker + text[len(text) - (MESSAGE_CHARS - head - len(marker)) :]


def _seconds(text: str) -> float:
    try:
        seconds = float(text.replace(",", ""))  # surefire writes 1,234.5
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
