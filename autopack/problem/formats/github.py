"""Workflow commands of GitHub Actions: what stands in a log line so that the runner shows it beside the code.

The runner takes a command from any line that starts with `::` after blanks, and from any line that holds `##[`; so no
text of a file may come to stand in a line of its own.
"""

from collections.abc import Iterator

from autopack.problem import Problem, Span
from autopack.problem.codes import CODES
from autopack.problem.formats import places
from autopack.problem.report import Report, escape, headline, summary

COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def text(report: Report) -> str:
    commands = [_command(report, found) for found in report.problems]
    return "\n".join([*commands, summary(report).replace("##[", "## [")])


def _command(report: Report, found: Problem) -> str:
    properties = {"title": f"{found.code}: {CODES[found.code].title}", **_place(report, found.span)}
    words = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    said = "\n".join(_lines(found))
    return f"::{COMMANDS[found.severity]} {words}::{_data(said)}"


def _place(report: Report, span: Span | None) -> dict[str, str]:
    """Columns only within one line: the runner drops them otherwise, and says so in the log."""
    if span is None:
        return {}
    lines = {"file": escape(places.path(report, span.path)), "line": str(span.line), "endLine": str(span.end_line)}
    if span.line != span.end_line:
        return lines
    return {**lines, "col": str(span.column), "endColumn": str(span.end_column)}


def _lines(found: Problem) -> Iterator[str]:
    """All of the finding: the log shows a command's text, and not where it points to."""
    yield headline(found, color=False)
    for label in found.labels:
        yield f"{escape(label.span.path)}:{label.span.line}:{label.span.column}: {escape(label.text)}"
    if found.help:
        yield f"help: {escape(found.help)}"


def _data(words: str) -> str:
    return words.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(words: str) -> str:
    return _data(words).replace(":", "%3A").replace(",", "%2C")
