"""Where a finding is, for services that look at a whole repository, and how they know it again in the next run."""

import hashlib
import posixpath
from collections import Counter

from autopack.problem import Problem, Span
from autopack.problem.report import Report, Sources

NOWHERE = Span("autopack.yaml", 1, 1, 1, 1)
"""Stands for the place of a finding that has none, because GitHub and GitLab refuse a report with one of those."""

TOKEN_CHARS = 200  # of what tells a finding from others; a block of text is known by how it starts


def path(report: Report, named: str) -> str:
    """From the root of the repository; what is no file (`<stdin>`, `builtin:default`) as it is called."""
    if not report.within or named.startswith(("<", "builtin:")):
        return named
    return posixpath.normpath(posixpath.join(report.within, named))


def token(texts: Sources, span: Span) -> str:
    """The text of a place, of several lines the first."""
    lines = texts.lines(span.path)
    if not 1 <= span.line <= len(lines):
        return ""
    line = lines[span.line - 1]
    return line[span.column - 1 : span.end_column - 1 if span.end_line == span.line else len(line)]


def fingerprints(report: Report) -> list[str]:
    """What stays the same while lines move: one a finding, in their order, no two alike.

    Made of the code, the file, what the place is called (else its line) and the token. What all of that says twice is
    numbered.
    """
    texts, seen, found = Sources(report.sources), Counter[tuple[str, ...]](), []
    for problem in report.problems:
        parts = _parts(report, texts, problem)
        text = "\0".join((*parts, str(seen[parts])))
        found.append(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())
        seen[parts] += 1
    return found


def _parts(report: Report, texts: Sources, problem: Problem) -> tuple[str, ...]:
    if problem.span is None:
        return problem.code, problem.message
    span = problem.span
    around = report.names.get(span) or token(texts, Span(span.path, span.line, 1, span.line + 1, 1))
    words = (" ".join(text[:TOKEN_CHARS].split()) for text in (around, token(texts, span)))
    return problem.code, path(report, span.path), *words
