"""The facts block of a reply: plain data, checked field by field, with messages the model can act on.

No code is in it. What is said here is a claim: the machine decides what it makes of it.
"""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autopack.spec import document

Severity = Literal["minor", "major"]
Recommendation = Literal["approve", "revise", "escalate"]
Confidence = Literal["low", "medium", "high"]

_BYTES_MAX = 256 * 1024
_NO_HEADER = "AP1001"  # facts are data of a reply, not a file of the language
_ISSUE_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:/_-]{0,199}")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_SEVERITIES = ("minor", "major")
_RECOMMENDATIONS = ("approve", "revise", "escalate")
_CONFIDENCES = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Issue:
    """A problem the model saw. `issue_key` is `<category>__<object>__<defect>`, the same for the same problem."""

    issue_key: str
    severity: Severity
    category: str
    evidence_refs: tuple[str, ...] = ()
    description: str = ""

    @property
    def path(self) -> str:
        """The file its first piece of evidence is in, as findings have one; "" without evidence."""
        return self.evidence_refs[0].partition(":")[0] if self.evidence_refs else ""


@dataclass(frozen=True, slots=True)
class BuilderFacts:
    summary: str = ""
    issues: tuple[Issue, ...] = ()
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the Auditor holds against a patch. `line` 0: it named none."""

    severity: Severity
    description: str
    path: str = ""
    line: int = 0
    category: str = ""
    issue_key: str = ""
    evidence_refs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditorFacts:
    recommendation: Recommendation
    confidence: Confidence
    findings: tuple[Finding, ...]
    summary: str = ""
    issues: tuple[Issue, ...] = ()
    notes: str = ""


class FactsError(ValueError):
    """What is wrong with the block, in words for the model."""


def builder(text: str, line: int) -> BuilderFacts:
    """`line` is where the block's text starts in the reply. Raises FactsError."""
    fields = _Fields(_value(text, line), "", ("summary", "issues", "notes"))
    return BuilderFacts(fields.text("summary"), _issues(fields), fields.text("notes"))


def auditor(text: str, line: int) -> AuditorFacts:
    """As `builder`, for a review."""
    known = ("recommendation", "confidence", "findings", "summary", "issues", "notes")
    fields = _Fields(_value(text, line), "", known, known[:3])
    return AuditorFacts(
        recommendation=fields.choice("recommendation", _RECOMMENDATIONS),
        confidence=fields.choice("confidence", _CONFIDENCES),
        findings=tuple(_finding(value, f"findings[{at}]") for at, value in enumerate(fields.items("findings"))),
        summary=fields.text("summary"),
        issues=_issues(fields),
        notes=fields.text("notes"),
    )


def _issues(fields: "_Fields") -> tuple[Issue, ...]:
    return tuple(_issue(value, f"issues[{at}]") for at, value in enumerate(fields.items("issues")))


def _issue(value: Any, place: str) -> Issue:
    known = ("issue_key", "severity", "category", "evidence_refs", "description")
    fields = _Fields(value, place, known, known[:3])
    return Issue(
        issue_key=fields.issue_key("issue_key"),
        severity=fields.choice("severity", _SEVERITIES),
        category=fields.text("category"),
        evidence_refs=fields.texts("evidence_refs"),
        description=fields.text("description"),
    )


def _finding(value: Any, place: str) -> Finding:
    known = ("severity", "description", "path", "line", "category", "issue_key", "evidence_refs")
    fields = _Fields(value, place, known, known[:2])
    return Finding(
        severity=fields.choice("severity", _SEVERITIES),
        description=fields.text("description"),
        path=fields.text("path"),
        line=fields.count("line"),
        category=fields.text("category"),
        issue_key=fields.issue_key("issue_key"),
        evidence_refs=fields.texts("evidence_refs"),
    )


class _Fields:
    """One mapping whose keys are known. An optional field that is left out or null is empty; a required one isn't."""

    def __init__(self, value: Any, place: str, known: Sequence[str], required: Collection[str] = ()) -> None:
        self._place = place
        self._required = required
        if not isinstance(value, dict):
            raise FactsError(f"{place or 'the block'}: expected a mapping, got {_kind(value)}")
        self._values = {key: one for key, one in value.items() if one is not None}
        for key in value:
            if key not in known:
                raise FactsError(f"{self._at(_printable(str(key))[:80])}: unknown key; the keys are {', '.join(known)}")
        for key in known:
            if key in required and key not in self._values:
                raise FactsError(f"{self._at(key)}: missing; required are {', '.join(required)}")

    def text(self, key: str) -> str:
        value = self._values.get(key, "")
        if not isinstance(value, str):
            raise self._wrong(key, "a string", value)
        if key in self._required and not value.strip():
            raise FactsError(f"{self._at(key)}: is empty")
        return _printable(value)

    def texts(self, key: str) -> tuple[str, ...]:
        values = self.items(key)
        for value in values:
            if not isinstance(value, str):
                raise self._wrong(key, "a list of strings", value)
        return tuple(map(_printable, values))

    def items(self, key: str) -> list[Any]:
        value = self._values.get(key, [])
        if not isinstance(value, list):
            raise self._wrong(key, "a list", value)
        return value

    def count(self, key: str) -> int:
        value = self._values.get(key, 0)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._wrong(key, "a line number", value)
        return value

    def choice(self, key: str, choices: Sequence[str]) -> Any:
        value = self._values[key]
        if value not in choices:
            raise self._wrong(key, f"one of {', '.join(choices)}", value)
        return value

    def issue_key(self, key: str) -> str:
        value = self.text(key)
        if value and not (_ISSUE_KEY.fullmatch(value) and len([part for part in value.split("__") if part]) >= 3):
            raise self._wrong(key, "<category>__<object>__<defect> without spaces", value)
        return value

    def _at(self, key: str) -> str:
        return f"{self._place}.{key}" if self._place else key

    def _wrong(self, key: str, expected: str, value: Any) -> FactsError:
        return FactsError(f"{self._at(key)}: expected {expected}, got {_kind(value)}")


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool | str):
        return json.dumps(_printable(value[:80]) if isinstance(value, str) else value)
    return "a number"


def _printable(text: str) -> str:
    """Without what could drive a terminal or can't be stored."""
    return _UNPRINTABLE.sub("", text)


# --- text to data ---


def _value(text: str, line: int) -> Any:
    """JSON where it starts like JSON, else YAML."""
    if len(text) > _BYTES_MAX:
        raise FactsError(f"the block has more than {_BYTES_MAX:,} characters")
    if re.match(r'\s*\{\s*["}]', text):
        return _json(text, line)
    read, problems = document.read("facts", text.encode())
    errors = [problem for problem in problems if problem.severity == "error" and problem.code != _NO_HEADER]
    if errors:
        span = errors[0].span
        raise FactsError(f"line {line + (span.line if span else 1) - 1} of the reply: {errors[0].message}")
    return read.value if read and read.value is not None else {}


def _json(text: str, line: int) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unrepeated, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise FactsError(f"line {line + error.lineno - 1} of the reply: not JSON: {error.msg}") from None
    except RecursionError:
        raise FactsError("nested too deeply") from None
    except FactsError:
        raise
    except ValueError:  # Python's limit on the digits of an integer
        raise FactsError("holds a number with too many digits") from None


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        keys = [key for key, _ in pairs]
        raise FactsError(f"{next(key for key in keys if keys.count(key) > 1)}: the key is written twice")
    return fields


def _no_constant(name: str) -> Any:
    raise FactsError(f"{name} is not a value in JSON")
