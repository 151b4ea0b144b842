"""Where a cursor is in a file that is just being written, and therefore rarely valid YAML.

Goes through the text once, by indentation and brackets, and never refuses anything: what it can't make sense of it
steps over. Blocks of text, comments and quotes are told apart, so that nothing inside them counts as a key.
"""

import re
from typing import NamedTuple

from autopack.spec.at import Step, Steps
from autopack.spec.source import BREAK

KEY = re.compile(
    r"""(?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^']|'')*)'|(?P<plain>[^\s"'\[\]{}#&*!|>,%@`-].*?|<<))"""
    r"[ \t]*:(?=[ \t]|$)"
)
PROPERTIES = re.compile(r"(?:[&!]\S*[ \t]+)*")
PLAIN = re.compile(r"(?:(?![ \t]#).)*")
FLOW_PLAIN = re.compile(r"[^\s,\[\]{}#:\"'](?:[^,\[\]{}:#\r\n]|:(?![\s,\[\]{}]|$)|(?<!\s)#)*")
QUOTED = {'"': re.compile(r'"(?:[^"\\]|\\.)*"?'), "'": re.compile(r"'(?:[^']|'')*'?")}
WORD = re.compile(r"[^\s#,\[\]{}:]*")


class Spot(NamedTuple):
    """What is being written. `place` is "key", "value" (behind a colon, a dash or in brackets) or "either".

    `steps` lead to the mapping of a key, and to the value itself otherwise.
    """

    place: str
    steps: Steps
    written: frozenset[str]  # the other keys of the mapping
    start: int  # offsets of the token under the cursor
    end: int
    in_item: bool  # whether a value is an item of a list that has begun


class _Frame:
    """A mapping or list that has begun; `indent` is None in brackets, `step` leads to the part being written."""

    __slots__ = ("awaits", "indent", "keys", "kind", "step")

    def __init__(self, kind: str, indent: int | None) -> None:
        self.kind = kind
        self.indent = indent
        self.step: Step | None = 0 if kind == "list" else None
        self.keys: dict[str, int] = {}
        self.awaits = "value" if kind == "list" else "key"  # in brackets: what may come next, "" for a comma


def spot(text: str, cursor: int) -> Spot | None:
    """None inside comments, blocks of text, and wherever nothing can be suggested."""
    return _Outline(text, cursor).spot()


class _Outline:
    def __init__(self, text: str, cursor: int) -> None:
        self._text = text
        self._cursor = cursor
        self._frames: list[_Frame] = []
        self._block: int | None = None  # indentation that the block of text being read must pass
        self._holder = 0  # column of what holds the brackets being read
        self._caught: tuple[str, Steps, _Frame | None, int, int, bool] | None = None

    def spot(self) -> Spot | None:
        start = 0
        for found in (*BREAK.finditer(self._text), None):
            end = len(self._text) if found is None else found.start()
            self._line(start, end)
            if end >= self._cursor and not (self._caught and self._caught[2] in self._frames):
                break
            start = end if found is None else found.end()
        if self._caught is None:
            return None
        place, steps, frame, token, end, item = self._caught
        keys = frame.keys if frame else {}
        return Spot(place, steps, frozenset(key for key, at in keys.items() if at != token), token, end, item)

    def _here(self, start: int, end: int) -> bool:
        return self._caught is None and start <= self._cursor <= end

    def _steps(self, frames: list[_Frame]) -> Steps:
        return tuple(frame.step for frame in frames if frame.step is not None)

    # --- lines ---

    def _line(self, start: int, end: int) -> None:
        line = self._text[start:end]
        content = line.lstrip(" ")
        indent = len(line) - len(content)
        if self._block is not None and not self._leaves_block(start, end, indent, content):
            return
        if self._in_brackets():
            if not content and self._here(start, end):
                indent = self._cursor - start
            if indent > self._holder or content[:1] in ("]", "}") or not (content or self._here(start, end)):
                self._flow(start, end)
                return
            self._frames = [frame for frame in self._frames if frame.indent is not None]  # they were never closed
        if not content:
            self._blank(start, end)
        elif content[0] != "#" and not content.startswith(("---", "...", "%")):
            self._content(start + indent, end, indent)

    def _leaves_block(self, start: int, end: int, indent: int, content: str) -> bool:
        assert self._block is not None
        if not content:
            return self._here(start, end) and self._cursor - start <= self._block
        if indent > self._block:
            return False
        self._block = None
        return True

    def _blank(self, start: int, end: int) -> None:
        if self._here(start, end):
            self._either(self._cursor - start, self._cursor, self._cursor)

    def _either(self, column: int, start: int, end: int) -> None:
        """A key of the mapping at this column, or the first of what the parent holds."""
        kept = [frame for frame in self._frames if frame.indent is not None and frame.indent <= column]
        while kept and kept[-1].kind == "list" and kept[-1].indent == column:
            kept.pop()
        if not kept or kept[-1].indent == column:
            frame = kept.pop() if kept else self._begin("map", column)
            self._caught = ("key", self._steps(kept), frame, start, end, False)
            return
        steps, item = self._steps(kept), kept[-1].kind == "list"
        begun = self._begin("map", column) if kept == self._frames else None
        self._caught = ("either", steps, begun, start, end, item)

    def _begin(self, kind: str, indent: int | None) -> _Frame:
        self._frames.append(_Frame(kind, indent))
        return self._frames[-1]

    def _content(self, start: int, end: int, column: int) -> None:
        dash: int | None = None
        while self._text[start:end] == "-" or self._text.startswith(("- ", "-\t"), start):
            dash = column
            self._item(dash)
            rest = self._text[start + 1 : end]
            after = start + 1 + len(rest) - len(rest.lstrip())
            if after == end or self._text[after] == "#":
                if self._here(start + 2, min(after, end)) and self._cursor > start + 1:
                    self._either(self._cursor - (start - column), self._cursor, self._cursor)
                return
            column, start = column + after - start, after
        if (key := KEY.match(self._text, start, end)) is not None:
            self._key(key, end, column)
            return
        word = WORD.match(self._text, start, end)
        alone = word is not None and word.end() > start and not self._text[word.end() : end].partition(" #")[0].strip()
        if word is not None and alone and self._here(start, word.end()):
            self._either(column, start, word.end())
        elif dash is not None:
            self._value(start, end, dash)

    def _leave(self, column: int) -> None:
        """What is nested deeper than a key at this column has ended, and so has a list beside it."""
        while self._frames:
            top = self._frames[-1]
            if top.indent is not None and (top.indent < column or (top.indent == column and top.kind == "map")):
                return
            self._frames.pop()

    def _item(self, column: int) -> None:
        frames = self._frames
        while frames and (frames[-1].indent is None or frames[-1].indent > column):
            frames.pop()
        if frames and frames[-1].kind == "list" and frames[-1].indent == column:
            assert isinstance(frames[-1].step, int)
            frames[-1].step += 1
        else:
            self._begin("list", column)

    def _key(self, key: re.Match[str], end: int, column: int) -> None:
        self._leave(column)
        top = self._frames[-1] if self._frames else None
        frame = top if top is not None and top.indent == column else self._begin("map", column)
        token_end = key.start() + len(key[0].removesuffix(":").rstrip())
        if self._here(key.start(), token_end):
            self._caught = ("key", self._steps(self._frames[:-1]), frame, key.start(), token_end, False)
        frame.step = next(group for group in key.groups() if group is not None)
        frame.keys.setdefault(frame.step, key.start())
        self._value(key.end(), end, column)

    # --- values ---

    def _value(self, start: int, end: int, column: int) -> None:
        gap = len(self._text[start:end]) - len(self._text[start:end].lstrip())
        begun = PROPERTIES.match(self._text, start + gap, end)
        first = begun.end() if begun else start + gap
        head = self._text[first : first + 1] if first < end else ""
        if head and head in "|>":
            self._block = column
        elif head and head in "[{":
            self._holder = column
            self._flow(first, end)
        elif head in QUOTED:
            token = QUOTED[head].match(self._text, first, end)
            assert token is not None
            self._scalar(first, token.end())
        else:
            self._plain(start, first, end)

    def _plain(self, start: int, first: int, end: int) -> None:
        token = PLAIN.match(self._text, first, end)
        written = token[0].rstrip() if token else ""
        if written and written[0] != "#":
            self._scalar(first, first + len(written))
        elif self._here(start + 1, end) and (not written or self._cursor <= first):
            self._scalar(self._cursor, self._cursor)

    def _scalar(self, start: int, end: int) -> None:
        if self._here(start, end):
            item = bool(self._frames) and self._frames[-1].kind == "list"
            self._caught = ("value", self._steps(self._frames), None, start, end, item)

    # --- brackets ---

    def _in_brackets(self) -> bool:
        return bool(self._frames) and self._frames[-1].indent is None

    def _flow(self, start: int, end: int) -> None:
        at = start
        while at < end:
            char = self._text[at]
            if char == "#" and (at == start or self._text[at - 1] in " \t"):
                return
            self._between(at, char)
            at = self._flow_token(at, char, end)
            if not self._in_brackets():
                return
        self._between(end, "")

    def _between(self, at: int, char: str) -> None:
        """Nothing is written yet where the cursor is, and something may be."""
        if (char and char in "[{") or not self._in_brackets() or not self._here(at, at):
            return
        if char == "" or char in ",]} \t":
            self._catch_in_brackets(at, at)

    def _catch_in_brackets(self, start: int, end: int) -> None:
        frame = self._frames[-1]
        if frame.awaits == "key":
            self._caught = ("key", self._steps(self._frames[:-1]), frame, start, end, False)
        elif frame.awaits == "value":
            self._caught = ("value", self._steps(self._frames), None, start, end, frame.kind == "list")

    def _flow_token(self, at: int, char: str, end: int) -> int:
        if char in "[{":
            self._begin("list" if char == "[" else "map", None)
        elif char in "]}":
            self._frames.pop()
            self._settle()
        elif char == ",":
            self._next()
        elif char == ":":
            self._frames[-1].awaits = "value"
        elif char not in " \t":
            return self._flow_scalar(at, char, end)
        return at + 1

    def _settle(self) -> None:
        if self._in_brackets():
            self._frames[-1].awaits = ""

    def _next(self) -> None:
        frame = self._frames[-1]
        if isinstance(frame.step, int):
            frame.step += 1
            frame.awaits = "value"
        else:
            frame.step, frame.awaits = None, "key"

    def _flow_scalar(self, at: int, char: str, end: int) -> int:
        pattern = QUOTED.get(char, FLOW_PLAIN)
        token = pattern.match(self._text, at, end)
        if token is None:
            return at + 1
        written = token[0].rstrip()
        stop = at + len(written)
        if self._here(at, stop):
            self._catch_in_brackets(at, stop)
        frame = self._frames[-1]
        if frame.awaits == "key":
            frame.step, frame.awaits = written.strip("\"'"), ""
            frame.keys.setdefault(written.strip("\"'"), at)
        else:
            self._settle()
        return max(stop, at + 1)
