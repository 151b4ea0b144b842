"""What modules need of `typing` on the way of a check, which has no time for it: its import takes three milliseconds.

Checkers of types see the real names. At run time annotations are only words, and tuples are made by `named`.
"""

import sys

TYPE_CHECKING = False  # its name is what checkers know
if TYPE_CHECKING or sys.version_info >= (3, 14):  # where annotations are no longer found in a class while it is made
    from typing import Any, NamedTuple, NoReturn, Protocol, Self, TypeAlias, TypeVar, dataclass_transform
else:
    from autopack.problem.named import NamedTuple

    Any = NoReturn = Protocol = Self = TypeAlias = object

    def TypeVar(name):  # noqa: N802 - its name
        return name

    def dataclass_transform(**_facts):
        return lambda cls: cls


__all__ = [
    "TYPE_CHECKING",
    "Any",
    "NamedTuple",
    "NoReturn",
    "Protocol",
    "Self",
    "TypeAlias",
    "TypeVar",
    "dataclass_transform",
]
