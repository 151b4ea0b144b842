"""What in a test's output belongs to the machine rather than to the failure: paths, times, addresses, colours.

Evidence goes back to a model and into recordings, so equal failures must read equally wherever and whenever they
happen. Pure text, linear in its length whatever its writer meant to do.
"""

import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from autopack.runners.redact import redact, without_known

CUT_PATH_CHARS = 8

_Rule = tuple[re.Pattern[str], str]

# The text is as long as its writer likes: no pattern may look far ahead from every place it could begin at.
_PATH_START = r"(?<![\w.~-])(?:(?:\.\./){1,40}|/)"  # absolute, or climbing to the root as pytest writes it
_PATH_END = r"(?![\w-])(?!\.\w)"
_PATH_HEAD = r"(?<![^\s'\"(<=:,;])[^\s'\"(<=:,;]*"

_TERMINAL: tuple[_Rule, ...] = (
    (re.compile(r"\x1b\[[0-?]{0,40}[ -/]{0,9}[@-~]|\x1b\][^\x07\n]{0,400}\x07"), ""),
    (re.compile(r"\r{1,9}\n"), "\n"),
    (re.compile(r"^[^\n]*\r", re.MULTILINE), ""),  # overwritten on the screen
    (re.compile(r"[\x00-\x08\x0b-\x1f\x7f]"), ""),
)
_ALWAYS: tuple[_Rule, ...] = (
    (re.compile(_PATH_HEAD + r"/(?:site|dist)-packages/"), "<site-packages>/"),
    (re.compile(_PATH_HEAD + r"/(?:lib|lib64)/python3\.\d+t?/"), "<python>/"),
    (re.compile(_PATH_HEAD + r"/bin/python[\d.]*\b"), "python"),
    (re.compile(r"(?<=\bat )0x[0-9a-fA-F]+|\b0x[0-9a-fA-F]{9,16}\b"), "0x..."),
    (re.compile(r"\btmp[a-z0-9_]{8}\b"), "tmp*"),
    (re.compile(r"\b\d\d:\d\d:\d\d[.,]\d{3,9}\b"), "<time>"),
    (re.compile(r"\b(in|took|after) \d+\.\d+ ?(?:ms|s|secs?|seconds?)\b(?: \(\d+:\d\d:\d\d\))?"), r"\1 <time>"),
    (re.compile(r"(127\.0\.0\.1|localhost|0\.0\.0\.0|\[?::1\]?)(:|', )(?:3[2-9]|[456]\d)\d{3}\b"), r"\1\2<port>"),
    (re.compile(r"\bport=(?:3[2-9]|[456]\d)\d{3}\b"), "port=<port>"),
    (re.compile(r"^\[gw\d+\].*\n?", re.MULTILINE), ""),  # which of pytest-xdist's workers it was
    (re.compile(r"^(?:E[ \t]+)?\? [ +^-]+\n", re.MULTILINE), ""),  # difflib's marks, under the paths as they were
    (re.compile(r"(?<![ \t])[ \t]+$", re.MULTILINE), ""),
)
_IN_LOGS: tuple[_Rule, ...] = (
    (re.compile(r"^((?:FAILED|ERROR) \S+) - .*$", re.MULTILINE), r"\1"),  # cut to the terminal's width, anywhere
    (re.compile(r"([=_-])\1{3,}"), r"\1\1\1\1"),  # rules filled up around a duration
    (re.compile(r"([(\[])\d+(?:\.\d+)? ?(?:ns|us|µs|ms|s|m)([)\]])"), r"\1<time>\2"),
    (
        re.compile(r"\b((?i:time|duration|elapsed|ran in|took)):? +\d+(?:\.\d+)? ?(?:ms|s|secs?|seconds?)\b"),
        r"\1 <time>",
    ),
    (re.compile(r"^[ \t]*\d+\.\d+s (?=call|setup|teardown)", re.MULTILINE), "<time> "),
    (re.compile(r"^(\[?)\d\d:\d\d:\d\d\b", re.MULTILINE), r"\1<time>"),
    (re.compile(r"\b(randomly-seed=|pid[ =:]{1,3})\d+"), r"\1<number>"),
)
_SUSPECT = re.compile(r"0x|\d\d|tmp|(?<![\w.])(?:/|\.\./)|-packages/|/bin/|/lib|[\x00-\x1f]")


class Mask(NamedTuple):
    """Rewrites what differs between two machines, folders, days or processes; the failure itself stays.

    Duration patterns that could be a test's own value ("5s") are for logs alone. `secrets` are hidden by value.
    """

    rules: tuple[_Rule, ...]
    secrets: tuple[str, ...] = ()

    def text(self, text: str) -> str:
        text = without_known(text, self.secrets)
        for pattern, instead in self.rules:
            text = pattern.sub(instead, text)
        return text

    def name(self, test_id: str) -> str:
        """Most names of a hundred thousand need only this look. Secrets can stand in parameters alone."""
        known = redact(test_id, self.secrets) if "[" in test_id else test_id
        return self.text(known) if _SUSPECT.search(known) else known

    def log(self, text: str) -> str:
        text = self.text(text)
        for pattern, instead in _IN_LOGS:
            text = pattern.sub(instead, text)
        return text


def mask_for(worktree: str, environs: Sequence[Mapping[str, str]], now: float, secrets: tuple[str, ...] = ()) -> Mask:
    rules = (*_TERMINAL, *_worktree_rules(worktree), *_root_rules(environs), *_date_rules(now), *_ALWAYS)
    return Mask(rules, secrets)


def _worktree_rules(worktree: str) -> Iterator[_Rule]:
    roots = sorted({os.path.abspath(worktree), os.path.realpath(worktree)}, key=lambda root: (-len(root), root))
    # pytest shortens a long string in its middle: what is left of our path tells only how long it was.
    begins = "|".join(re.escape(root[:CUT_PATH_CHARS]) for root in roots)
    yield re.compile(rf"(?<=['\"])(?:{begins})[^\s'\"]{{0,400}}\.\.\.[^\s'\"]{{0,400}}(?=['\"])"), "<path>"
    for root in roots:
        yield re.compile(re.escape(root) + _PATH_END), "."


def _root_rules(environs: Sequence[Mapping[str, str]]) -> Iterator[_Rule]:
    """Longest first: PATH may lie in HOME, HOME in a temporary folder."""
    shared = ("/tmp", "/var/tmp")  # noqa: S108 - to be recognised in a text, not to be written to
    temporary = {tempfile.gettempdir(), *shared, *(env.get("TMPDIR", "") for env in environs)}
    tools = {folder for env in environs for folder in env.get("PATH", "").split(os.pathsep)}
    homes = {env.get("HOME", "") for env in environs}
    # The first component below a temporary folder has a random or a counted name.
    rest = r"(?:/pytest-of-[\w.-]+/pytest-(?:\d+|current)\b|/[\w.+-]+)?"
    roots = [(root, rest + _PATH_END, "<tmp>") for folder in temporary for root in _spellings(folder)]
    roots += [(root, r"/(?=[\w.+-])", "") for folder in tools for root in _spellings(folder)]
    roots += [(root, _PATH_END, "~") for folder in homes for root in _spellings(folder)]
    for root, end, instead in sorted(roots, key=lambda rule: (-len(rule[0]), rule)):
        yield re.compile(_PATH_START + re.escape(root) + end), instead


def _spellings(folder: str) -> set[str]:
    if not os.path.isabs(folder):
        return set()
    return {root.strip("/") for root in (folder, os.path.realpath(folder)) if root.strip("/")}


def _date_rules(now: float) -> Iterator[_Rule]:
    """Only dates around today: they came from a clock. Others are the test's own, and say what is wrong."""
    days = [time.gmtime(now + shift * 86_400) for shift in (-1, 0, 1)]
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    spelled = set()
    for day in days:
        year, number, name, date = day.tm_year, day.tm_mon, month[day.tm_mon - 1], day.tm_mday
        spelled |= {rf"{year}{sep}{number:02}{sep}{date:02}" for sep in ("-", "/", r"\.", "")}
        spelled |= {rf"{date:02}{sep}{number:02}{sep}{year}" for sep in ("/", r"\.")}
        spelled |= {rf"0?{date}[ -]{name}[a-z]{{0,6}}[ -]{year}", rf"{name}[a-z]{{0,6}} {{1,2}}0?{date}, {year}"}
        spelled |= {rf"{name} {{1,2}}{date} \d\d:\d\d:\d\d(?: \w+)? {year}"}
    clock = r"(?:[T ,_]{0,2}\d\d:?\d\d(?::?\d\d(?:[.,]\d+)?)?(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?)?"
    weekday = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? {1,2})?"
    yield re.compile(rf"(?<!\d){weekday}(?:{'|'.join(sorted(spelled))}){clock}(?!\d)"), "<date>"
    called = "|".join(sorted(rf"{day.tm_year}, {day.tm_mon}, {day.tm_mday}" for day in days))
    yield re.compile(rf"\b((?:datetime\.)?(?:datetime|date))\((?:{called})(?:, \d+)*(?=[,)])"), r"\1(<date>"
    seconds = "|".join(str(int(now) // 100_000 + shift) for shift in (-1, 0, 1))
    yield re.compile(rf"\b(?:{seconds})\d{{5}}(?:\d{{3}}(?:\d{{3}}){{0,2}})?(?:\.\d+)?\b"), "<date>"
