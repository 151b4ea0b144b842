"""The door to PyYAML: its events, one at a call.

Not its composer and constructor, which are slower by an order of magnitude, resolve scalars by YAML 1.1 and let the
last duplicate key win in silence.
"""

from collections.abc import Callable

from autopack.problem.typed import Any
from autopack.spec.patterns import Deferring, put_off

with Deferring():
    import yaml
from yaml import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.reader import ReaderError

__all__ = [  # what others take from here
    "AliasEvent",
    "DocumentEndEvent",
    "DocumentStartEvent",
    "MappingEndEvent",
    "MappingStartEvent",
    "MarkedYAMLError",
    "ReaderError",
    "ScalarEvent",
    "SequenceEndEvent",
    "SequenceStartEvent",
    "StreamEndEvent",
    "accelerated",
    "events",
]

SURROGATE = put_off("[\ud800-\udfff]")


def accelerated() -> bool:
    """Whether PyYAML was built with libyaml. Without it reading is about fifteen times slower."""
    return bool(yaml.__with_libyaml__)


def events(text: str, source: bytes) -> Callable[[], Any]:
    """The next event at each call. Offsets count the characters of `text`, also where libyaml reads `source`."""
    if accelerated():
        get: Callable[[], Any] = yaml.CSafeLoader(source).get_event
        return get
    unchecked: Callable[[], Any] = yaml.SafeLoader(text).get_event

    def checked() -> Any:
        event = unchecked()
        if getattr(event, "style", None) == '"' and SURROGATE.search(event.value):
            # libyaml refuses half a character by itself; no hash or store could take it
            raise yaml.scanner.ScannerError(None, None, "found invalid Unicode character", event.start_mark)
        return event

    return checked
