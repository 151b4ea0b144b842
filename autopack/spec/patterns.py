"""Patterns that are compiled when they are first used: for what is rarely looked for, and for modules of others.

PyYAML makes a dozen of them for its readers in Python, which takes a third of its import; here libyaml reads.
"""

import _thread
import re

from autopack.problem.typed import Any

_compile = re.compile


class Deferred:
    """Stands for a pattern, and becomes it when it is asked for anything."""

    __slots__ = ("_arguments", "_made")

    def __init__(self, *arguments: Any) -> None:
        self._arguments = arguments
        self._made: re.Pattern[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = _compile(*self._arguments)
        return getattr(self._made, name)


def put_off(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """The pattern, compiled when it is first used."""
    return Deferred(pattern, flags)  # type: ignore[return-value]


class Deferring:
    """What is imported meanwhile compiles no pattern yet; only where no other thread could be compiling one."""

    def __enter__(self) -> None:
        if not _thread._count():  # noqa: SLF001 - `threading` is nothing a check has time for
            re.compile = Deferred  # type: ignore[assignment]

    def __exit__(self, *_raised: object) -> None:
        re.compile = _compile
