"""What a terminal showed, as a picture: captured from a real one, colours and all, or from a page that printed it."""

import os
import pty
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 60
CELL, LINE, MARGIN, BAR = 8.0, 18, 16, 28
PLAIN = "#c9d1d9"
INKS: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda line: line.startswith("$ "), "#7ee787"),
    (lambda line: "error[" in line or "FAILED" in line or "CI red" in line, "#ff7b72"),
    (lambda line: "warning[" in line, "#e3b341"),
    (lambda line: line.lstrip().startswith(("help:", "|")) or "DONE_SUCCESS" in line, "#79c0ff"),
)
"""For text that was printed without colours."""

COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "36": "#76e3ea"}
_PAINT = re.compile(r"\x1b\[([0-9;]*)m")


class Run(NamedTuple):
    """Some characters of one line that look alike."""

    text: str
    ink: str
    bold: bool = False


def captured(folder: Path, command: Sequence[str], columns: int) -> str:
    """What `autopack ...` shows in a terminal of this width when it is started in a folder, with the command above it.

    Raises OSError, subprocess.TimeoutExpired.
    """
    ours, theirs = pty.openpty()
    with tempfile.TemporaryDirectory(prefix="autopack-picture-") as home:
        known = {"HOME": home, "XDG_CACHE_HOME": home, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        environ = {**known, "TERM": "xterm-256color", "LANG": "C.UTF-8", "COLUMNS": str(columns)}
        argv = [sys.executable, "-m", "autopack", *command]
        with subprocess.Popen(argv, cwd=folder, env=environ, stdin=theirs, stdout=theirs, stderr=theirs) as started:
            os.close(theirs)
            printed = b"".join(_all_of(ours))
            started.wait(TIMEOUT_S)
    return f"$ autopack {' '.join(command)}\n" + printed.decode().replace("\r\n", "\n")


def _all_of(handle: int) -> Iterator[bytes]:
    """A terminal whose other side is closed says so with an error."""
    try:
        while piece := os.read(handle, 65536):
            yield piece
    except OSError:
        return
    finally:
        os.close(handle)


def picture(text: str, columns: int) -> str:
    """A terminal with this text in it, as SVG; every stretch is fitted to its columns, whatever the font."""
    lines = [line for written in text.rstrip("\n").splitlines() for line in _lines(written, columns)]
    width = columns * CELL + 2 * MARGIN
    height = len(lines) * LINE + BAR + MARGIN
    dots = "".join(f'<circle cx="{MARGIN + 4 + 16 * n}" cy="14" r="5" fill="#484f58"/>' for n in range(3))
    rows = "\n".join(stretch for number, line in enumerate(lines, 1) for stretch in _row(line, BAR + LINE * number))
    title = "".join(run.text for run in lines[0])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" width="{width:g}" height="{height}"'
        f' role="img">\n<title>{escape(title)}</title>\n'
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>{dots}\n'
        f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13"'
        f' xml:space="preserve">\n{rows}\n</g>\n</svg>\n'
    )


def _lines(written: str, columns: int) -> Iterator[list[Run]]:
    """One line as the terminal breaks it."""
    if not _PAINT.search(written):
        ink = next((colour for fits, colour in INKS if fits(written)), PLAIN)
        parts = textwrap.wrap(written, columns, drop_whitespace=False, break_on_hyphens=False) or [""]
        yield from ([Run(part, ink)] for part in parts)
        return
    line: list[Run] = []
    room = columns
    for run in _runs(written):
        rest = run.text
        while len(rest) > room:
            yield [*line, run._replace(text=rest[:room])]
            line, rest, room = [], rest[room:], columns
        line.append(run._replace(text=rest))
        room -= len(rest)
    yield line


def _runs(written: str) -> Iterator[Run]:
    """The stretches between two changes of colour."""
    ink, bold, at = PLAIN, False, 0
    for change in _PAINT.finditer(written):
        if change.start() > at:
            yield Run(written[at : change.start()], ink, bold)
        for word in change[1].split(";"):
            if word in ("", "0"):
                ink, bold = PLAIN, False
            elif word == "1":
                bold = True
            else:
                ink = COLOURS[word]  # a KeyError is a colour that this picture would not show
        at = change.end()
    if at < len(written):
        yield Run(written[at:], ink, bold)


def _row(line: Sequence[Run], y: int) -> Iterator[str]:
    column = 0
    for text, ink, bold in line:
        words = text.strip()
        x = MARGIN + (column + len(text) - len(text.lstrip())) * CELL
        column += len(text)
        if words:
            weight = ' font-weight="bold"' if bold else ""
            yield (
                f'<text x="{x:g}" y="{y}" fill="{ink}"{weight} textLength="{len(words) * CELL:g}"'
                f' xml:space="preserve">{escape(words)}</text>'
            )
