"""What was found out lately about objects: an id means the same for ever, so no answer grows old."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """As many answers as together weigh no more than `most`; what was not asked for longest goes first."""

    def __init__(self, most: int, weigh: Callable[[T], int]) -> None:
        self._most, self._weigh = most, weigh
        self._kept: dict[object, T] = {}
        self._weight = 0
        self._mutex = threading.Lock()

    def get(self, key: object) -> T | None:
        with self._mutex:
            if key not in self._kept:
                return None
            found = self._kept[key] = self._kept.pop(key)
            return found

    def put(self, key: object, found: T) -> T:
        weight = self._weigh(found)
        with self._mutex:
            if key not in self._kept and weight <= self._most:
                self._kept[key] = found
                self._weight += weight
            while self._weight > self._most:
                self._weight -= self._weigh(self._kept.pop(next(iter(self._kept))))
        return found
