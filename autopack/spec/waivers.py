"""Inline waivers: `# autopack: ignore[AP3025] until=2027-01-31 owner=ann reason=the tool has no other way in`.

A waiver behind something speaks of its line; one on a line of its own, of the first line below that says something. It
silences warnings and infos of the codes it names, the errors of MAY_BE_WAIVED, and nothing else: any other error makes
a spec unusable, and a comment can't change what a compiler can do. It is an exception, so somebody must own it, say
why, and say how long; a waiver that silences nothing or has expired is a finding itself, and those can't be waived.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from autopack.problem import CODES, Fix, Problem, Span, problem
from autopack.spec.document import Document
from autopack.spec.marks import comments
from autopack.spec.nearest import did_you_mean, replacement

MAY_BE_WAIVED = ("AP52",)  # errors of policy that leave the spec usable
OWN_CODES = ("AP5901", "AP5902", "AP5903")
FOUND_BY_A_CHECK = ("AP1", "AP2", "AP3")  # the layers a check of files judges; the others speak when a plan is compiled

_WAIVER = re.compile(r"#+\s*autopack:\s*ignore\b\s*(?:\[(?P<codes>[^\]]*)\])?(?P<terms>.*)")
_AGAIN = re.compile(r"#\s*autopack:\s*ignore\b")
_TERM = re.compile(r"(?:^|(?<=\s))(?P<name>until|owner|reason)=")
_QUOTED = re.compile("(?<==)(?:\"[^\"]*\"|'[^']*')")
_DATE = re.compile(
    r"\d{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31|02-29)"
)
_TERMS = ("until", "owner", "reason")
_SAYS_NOTHING = re.compile(r"[ \t]*(?:#.*)?")  # a blank line, or a comment


class Waived(NamedTuple):
    """What is left to tell, waivers' own findings included, and what was silenced."""

    problems: list[Problem]
    silenced: list[Problem]


class _Waiver(NamedTuple):
    span: Span  # of the comment
    line: int  # it speaks of
    codes: Mapping[str, Span]
    until: str


def waivable(code: str) -> bool:
    """Whether a waiver may silence findings of this code."""
    return code not in OWN_CODES and (CODES[code].severity != "error" or code.startswith(MAY_BE_WAIVED))


def waived(
    documents: Iterable[Document], problems: Sequence[Problem], today: str, judged: tuple[str, ...] = FOUND_BY_A_CHECK
) -> Waived:
    """The findings of some documents after their waivers. `judged` are the layers whose silence means something."""
    told: list[Problem] = []
    silenced: list[Problem] = []
    for document in documents:
        if "autopack:" in document.text and "ignore" in document.text:
            here = [found for found in problems if found.span is not None and found.span.path == document.path]
            for waiver in _waivers(document, told):
                silenced += _apply(waiver, here, today, judged, told)
    kept = set(silenced)
    return Waived([*(found for found in problems if found not in kept), *told], silenced)


def _apply(
    waiver: _Waiver, here: Sequence[Problem], today: str, judged: tuple[str, ...], told: list[Problem]
) -> Iterator[Problem]:
    if waiver.until < today:
        message = f"this waiver held until {waiver.until}"
        told.append(problem("AP5903", message, waiver.span, (), "settle the finding, or have its owner renew it"))
        return
    for code, span in waiver.codes.items():
        matches = [found for found in here if found.code == code and found.span and found.span.line == waiver.line]
        yield from matches
        if not matches and code.startswith(judged):
            message = f"nothing on line {waiver.line} is an {code}"
            told.append(problem("AP5902", message, span, (), "remove the code, or the waiver where it was the last"))


# --- reading them -----------------------------------------------------------------------------------------


def _waivers(document: Document, told: list[Problem]) -> list[_Waiver]:
    """Those that say all they must; what is wrong with the others is told."""
    text, found = document.text, []
    for start, end in comments(document):
        written = _WAIVER.match(text, start, end)
        if written is not None:
            alone = not text[text.rfind("\n", 0, start) + 1 : start].strip(" \t")
            found.append((written, document.stretch(start, end), alone))
    waivers = []
    for written, span, alone in found:
        line = _next_said(document, span.line) if alone else span.line
        faults = list(_faults(document, written, span))
        told.extend(faults)
        if not faults:
            waivers.append(_Waiver(span, line, _codes(document, written), _terms(written)["until"]))
    return waivers


def _next_said(document: Document, line: int) -> int:
    """The first line below that is no comment and not blank; the next one where there is none."""
    lines = document.lines[line:]
    return next((number for number, text in enumerate(lines, line + 1) if not _SAYS_NOTHING.fullmatch(text)), line + 1)


def _faults(document: Document, written: re.Match[str], span: Span) -> Iterator[Problem]:
    codes = _codes(document, written)
    terms = _terms(written)
    missing = [name for name in _TERMS if not terms.get(name)]
    form = "# autopack: ignore[AP3025] until=2027-01-31 owner=ann reason=..."
    if _AGAIN.search(written["terms"]):
        advice = "write one with all codes, `ignore[AP1016, AP3025]`, or each in a line of its own above"
        yield problem(
            "AP5901", "two waivers in one comment, of which the second is part of the first", span, (), advice
        )
    elif not codes:
        yield problem("AP5901", "a waiver that names no code", span, (), f"write it like `{form}`")
    elif missing:
        yield problem("AP5901", f"a waiver without {' and '.join(missing)}", span, (), f"write it like `{form}`")
    elif not _DATE.fullmatch(terms["until"]):
        message = f'"{terms["until"]}" is no date'
        yield problem("AP5901", message, span, (), "write `until=2027-01-31`")
    for code, place in codes.items():
        yield from _fault_of_code(code, place)


def _fault_of_code(code: str, span: Span) -> Iterator[Problem]:
    if code not in CODES:
        advice = did_you_mean(code, CODES) or "a whole code, as findings show it"
        fixes: tuple[Fix, ...] = replacement(span, advice) if code.upper() in CODES else ()
        yield problem("AP5901", f'no finding has the code "{code}"', span, (), advice, fixes)
    elif not waivable(code):
        advice = "settle it: only warnings and infos can be waived"
        yield problem("AP5901", f"{code} can't be waived", span, (), advice)


def _codes(document: Document, written: re.Match[str]) -> dict[str, Span]:
    if written["codes"] is None:
        return {}
    at = written.start("codes")
    words = re.finditer(r"[^\s,]+", written["codes"])
    return {word[0]: document.stretch(at + word.start(), at + word.end()) for word in words}


def _terms(written: re.Match[str]) -> dict[str, str]:
    """Name and value of each, in any order; a name that comes again is part of what it stands in."""
    text, terms = written["terms"], {}
    found: dict[str, re.Match[str]] = {}
    for term in _TERM.finditer(_QUOTED.sub(lambda quoted: "_" * len(quoted[0]), text)):
        found.setdefault(term["name"], term)
    end = len(text)
    for term in sorted(found.values(), key=lambda term: -term.start()):
        terms[term["name"]] = text[term.end() : end].strip().strip("\"'")
        end = term.start()
    return terms
