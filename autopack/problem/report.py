"""The one formatter of findings: places, source lines, what to do about it.

`full` for people, `concise` for one line each, `json` and `jsonl` for programs; the forms that other people's services
read (`github`, `sarif`, `junit`, `gitlab`) are in `formats/`, and whoever doesn't ask for one doesn't load it. What is
quoted from a file or a message is escaped, so that a hostile file cannot drive the terminal of who checks it.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from autopack.problem import Problem, Span, order
from autopack.problem.typed import NamedTuple

FORMAT_VERSION = 1
TAB_CELLS = 4
LINE_CELLS = 140  # of a source line; a longer one is cut around its token
TOKEN_LINES = 3  # of a token over several lines; the rest is only hinted at

COLOURS = {"error": "31", "warning": "33", "info": "36"}
QUIET = "34"
BOLD = "1"


class Report(NamedTuple):
    """All that a format may show."""

    problems: list[Problem]
    sources: Mapping[str, str]
    color: bool
    files: int
    not_checked: Sequence[str]
    within: str
    names: Mapping[Span, str]


def render(
    problems: Iterable[Problem],
    sources: Mapping[str, str],
    format: str,  # noqa: A002 - the name of the option it comes from
    color: bool,  # noqa: FBT001 - the signature every caller knows
    files: int,
    not_checked: Sequence[str] = (),
    *,
    within: str = "",
    names: Mapping[Span, str] | None = None,
) -> str:
    """All findings in order, in one of `FORMATS`, with a final line break.

    `sources` holds the text of each file by its path; a file that is missing there is shown without its lines.
    `files` counts the files that were checked; `not_checked` names what the verdict does not cover. For the services
    that look at a whole repository: `within` is the folder there that paths start in, and `names` says what a place is
    called (`tiers.T1.phases.store.goal`).
    """
    problems = order(problems)
    shown = _without_secrets(sources, problems)
    return FORMATS[format](Report(problems, shown, color, files, not_checked, within, names or {}))


_ABOUT_SECRETS = "AP5009"


def _without_secrets(sources: Mapping[str, str], problems: Iterable[Problem]) -> Mapping[str, str]:
    """What a finding calls a secret is shown by none: terminals are recorded, and logs of CI are public."""
    spans = [found.span for found in problems if found.code == _ABOUT_SECRETS and found.span is not None]
    if not spans:
        return sources
    found = dict(sources)
    for span in spans:
        lines = found.get(span.path, "").splitlines(keepends=True)
        for number in range(span.line, min(span.end_line, len(lines)) + 1):
            line = lines[number - 1]
            start = span.column - 1 if number == span.line else 0
            end = span.end_column - 1 if number == span.end_line else len(line.rstrip("\r\n"))
            lines[number - 1] = line[:start] + "*" * (end - start) + line[end:]
        found[span.path] = "".join(lines)
    return found


# --- formats ----------------------------------------------------------------------------------------------


def _full(report: Report) -> str:
    texts = Sources(report.sources)
    parts = ["\n".join(_finding(found, texts, report.color)) + "\n" for found in report.problems]
    return "\n".join([*parts, summary(report)])


def _concise(report: Report) -> str:
    return "".join([*(headline(found, report.color) + "\n" for found in report.problems), summary(report)])


def _json(report: Report) -> str:
    import json  # noqa: PLC0415 - the other formats start without it

    findings = [_as_json(found) for found in report.problems]
    document = {"format_version": FORMAT_VERSION, "findings": findings, **_verdict_as_json(report)}
    return json.dumps(document, indent=2) + "\n"  # in ASCII: no character of a file reaches the terminal raw


def _jsonl(report: Report) -> str:
    """A line a finding and, last, the verdict: whoever has not seen it has not seen everything."""
    import json  # noqa: PLC0415 - see above

    findings = [{"type": "finding", **_as_json(found)} for found in report.problems]
    verdict = {"type": "verdict", "format_version": FORMAT_VERSION, **_verdict_as_json(report)}
    return "".join(json.dumps(line) + "\n" for line in [*findings, verdict])


def _github(report: Report) -> str:
    from autopack.problem.formats import github  # noqa: PLC0415 - see the module; so the three below

    return github.text(report)


def _sarif(report: Report) -> str:
    from autopack.problem.formats import sarif  # noqa: PLC0415

    return sarif.text(report)


def _junit(report: Report) -> str:
    from autopack.problem.formats import junit  # noqa: PLC0415

    return junit.text(report)


def _gitlab(report: Report) -> str:
    from autopack.problem.formats import gitlab  # noqa: PLC0415

    return gitlab.text(report)


FORMATS: dict[str, Callable[[Report], str]] = {
    "full": _full,
    "concise": _concise,
    "json": _json,
    "jsonl": _jsonl,
    "github": _github,
    "sarif": _sarif,
    "junit": _junit,
    "gitlab": _gitlab,
}


def _verdict_as_json(report: Report) -> dict[str, object]:
    counts = Counter(found.severity for found in report.problems)
    summed = {"errors": counts["error"], "warnings": counts["warning"], "infos": counts["info"], "files": report.files}
    return {"summary": summed, "not_checked": list(report.not_checked)}


def _as_json(found: Problem) -> dict[str, object]:
    return {
        "code": found.code,
        "severity": found.severity,
        "message": found.message,
        **_span_as_json(found.span),
        "labels": [{"text": label.text, **_span_as_json(label.span)} for label in found.labels],
        "help": found.help,
        "fixes": [{"text": fix.text, **_span_as_json(fix.span)} for fix in found.fixes],
        "docs": found.docs,
    }


def _span_as_json(span: Span | None) -> dict[str, object]:
    return dict.fromkeys(Span._fields) if span is None else span._asdict()


# --- one finding ------------------------------------------------------------------------------------------


def headline(found: Problem, color: bool) -> str:  # noqa: FBT001
    """`path:line:column: severity[code]: message`."""
    place = "" if found.span is None else f"{escape(found.span.path)}:{found.span.line}:{found.span.column}: "
    what = _paint(f"{found.severity}[{found.code}]", f"1;{COLOURS[found.severity]}", color)
    return f"{_paint(place, BOLD, color)}{what}: {escape(found.message)}"


def _finding(found: Problem, texts: "Sources", color: bool) -> Iterator[str]:  # noqa: FBT001
    yield headline(found, color)
    marks = [_Mark(label.span, "-", label.text, QUIET) for label in found.labels]
    if found.span is not None:
        marks.append(_Mark(found.span, "^", "", f"1;{COLOURS[found.severity]}"))
    paths = dict.fromkeys(mark.span.path for mark in reversed(marks))  # the finding's own file first
    gutter = max((len(str(mark.span.end_line)) for mark in marks), default=1)
    for path in paths:
        here = [mark for mark in marks if mark.span.path == path]
        if found.span is None or path != found.span.path:
            first = min(mark.span for mark in here)
            yield _paint(f"{'':{gutter}} --> {escape(path)}:{first.line}:{first.column}", QUIET, color)
        yield from _excerpt(here, texts.lines(path), gutter, color)
    if found.help:
        yield f"{'':{gutter}} {_paint('help:', BOLD, color)} {escape(found.help)}"


class _Mark(NamedTuple):
    span: Span
    sign: str
    text: str
    colour: str


def _excerpt(marks: list[_Mark], lines: Sequence[str], gutter: int, color: bool) -> Iterator[str]:  # noqa: FBT001
    """The marked lines of one file, each with what is marked below it."""
    wanted: dict[int, list[_Mark]] = {}
    for mark in marks:
        for line in _lines_of(mark.span):
            if 1 <= line <= len(lines):
                wanted.setdefault(line, []).append(mark)
    bar = _paint(f"{'':{gutter}} |", QUIET, color)
    before = 0
    for line in sorted(wanted):
        if before and line > before + 1:
            yield _paint(f"{'':{gutter}} :", QUIET, color)
        before = line
        here = [(mark, *_columns(mark.span, line, lines[line - 1])) for mark in wanted[line]]
        window = _Window(lines[line - 1], min(start for _, start, _ in here))
        yield f"{_paint(f'{line:>{gutter}} |', QUIET, color)} {window.text}".rstrip()
        for mark, start, end in sorted(here, key=lambda row: (row[0].sign != "^", row[1])):
            indent, signs = window.underline(start, end, mark.sign)
            words = f" {escape(mark.text)}" if mark.text and line == mark.span.line else ""
            yield f"{bar} {indent}{_paint(signs + words, mark.colour, color)}"


def _lines_of(span: Span) -> range:
    last = span.end_line - 1 if span.end_column == 1 and span.end_line > span.line else span.end_line
    return range(span.line, min(last, span.line + TOKEN_LINES - 1) + 1)


def _columns(span: Span, line: int, text: str) -> tuple[int, int]:
    """Offsets of the marked stretch of one line: of a token's later lines, what is not indentation."""
    start = span.column - 1 if line == span.line else len(text) - len(text.lstrip())
    end = span.end_column - 1 if line == span.end_line else len(text.rstrip())
    return start, max(end, start)


def _paint(text: str, colour: str, color: bool) -> str:  # noqa: FBT001
    return f"\x1b[{colour}m{text}\x1b[0m" if color and text else text


def summary(report: Report) -> str:
    """What was found where, and what was not looked at, as lines of text."""
    counts = Counter(found.severity for found in report.problems)
    told = [_count(counts[severity], severity) for severity in ("error", "warning") if counts[severity]]
    if counts["info"]:
        told.append(f"{counts['info']} info")
    lines = [f"{', '.join(told) or 'no findings'} in {_count(report.files, 'file')}"]
    if report.not_checked:
        lines.append("not checked: " + ", ".join(map(escape, report.not_checked)))
    return "\n".join(lines) + "\n"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


# --- what a terminal shows --------------------------------------------------------------------------------


class Sources:
    """The lines of each file, split once."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._lines: dict[str, list[str]] = {}

    def lines(self, path: str) -> list[str]:
        if path not in self._lines:
            text = self._texts.get(path, "").removeprefix("\ufeff")
            self._lines[path] = text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if text else []
        return self._lines[path]


class _Window:
    """One source line as a terminal shows it: tabs as spaces, what could act on the terminal spelled out.

    A line that is too long is cut to the part around `focus`, an offset into it.
    """

    def __init__(self, line: str, focus: int) -> None:
        first = max(0, focus - LINE_CELLS // 2) if len(line) > LINE_CELLS else 0
        self._first = first
        self._cells = [1 if first else 0]  # the cell at which each shown character starts, and the final one
        shown = ["…"] if first else []
        for char in line[first:]:
            if self._cells[-1] >= LINE_CELLS:
                shown.append("…")
                break
            here = " " * (TAB_CELLS - self._cells[-1] % TAB_CELLS) if char == "\t" else escape(char)
            shown.append(here)
            self._cells.append(self._cells[-1] + width(here))
        self.text = "".join(shown)

    def underline(self, start: int, end: int, sign: str) -> tuple[str, str]:
        """Blanks and signs below the characters from `start` to `end`; one sign if there are none between."""
        left, right = self._cell(start), self._cell(end)
        return " " * left, sign * max(1, right - left)

    def _cell(self, offset: int) -> int:
        return self._cells[min(max(offset - self._first, 0), len(self._cells) - 1)]


def escape(text: str) -> str:
    """Text with every character spelled out that a terminal would obey or hide: controls, directions, surrogates."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _harmless(char) else _spelled(char) for char in text)


def _harmless(char: str) -> bool:
    return unicodedata.category(char) not in UNSEEN or char == "\u200d"  # which joins emoji


UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _spelled(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def width(text: str) -> int:
    """Terminal cells: two for what is wide in East Asia, none for what combines with the character before."""
    if text.isascii():
        return len(text)
    return sum(map(_char_width, text))


def _char_width(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me"} or char == "\u200d":
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
