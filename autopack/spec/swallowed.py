"""Keys that a block of text above them has swallowed."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from autopack.spec.findings import Findings
from autopack.spec.scalars import Value

# The keys that stand beside long texts: a line of such a text that looks like one of them and is missing
# beside it was meant to be a key.
SWALLOWED = re.compile(
    r"^(acceptance|budget|builder_mode|category|complexity|defaults|deliverables|goal|inputs|phases|probes"
    r"|scope|tags|tiers):(?:[ \t]|$)",
    re.MULTILINE,
)


class Block(NamedTuple):
    """A block of text in a mapping, which may have swallowed some of the mapping's keys."""

    start: int
    text: str
    key: str
    beside: dict[str, Value]


def swallowed_keys(found: Findings, blocks: Iterable[Block]) -> None:
    for block in blocks:
        for line in SWALLOWED.finditer(block.text):
            name = line[1]
            if name in block.beside:
                continue
            written = re.compile(rf"^[ \t]*({name}):", re.MULTILINE).search(found.text, block.start)
            if written is None:
                continue
            label = found.label(block.start, block.start + 1, f'the text of "{block.key}" starts here')
            message = f'this line is text of "{block.key}", not the key "{name}"'
            help_ = f'indent it like "{block.key}" if it is a key'
            found.report("AP1021", message, *written.span(1), labels=(label,), help=help_)
            break
