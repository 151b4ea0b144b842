"""Keys that a block of text above them has swallowed."""

import re
from collections.abc import Iterable

from autopack.spec.findings import Findings
from autopack.spec.scalars import Value

# The keys that stand beside long texts: a line of such a text that looks like one of them and is missing
# beside it was meant to be a key.
SWALLOWED = re.compile(
    r"^(acceptance|budget|builder_mode|category|complexity|defaults|deliverables|goal|inputs|phases|probes"
    r"|scope|tags|tiers):(?:[ \t]|$)",
    re.MULTILINE,
)
Block = tuple[int, str, str, dict[str, Value]]  # where a text starts, the text, its key, the keys beside it


def swallowed_keys(found: Findings, blocks: Iterable[Block]) -> None:
    for start, text, key, beside in blocks:
        for line in SWALLOWED.finditer(text):
            name = line[1]
            if name in beside:
                continue
            written = re.compile(rf"^[ \t]*({name}):", re.MULTILINE).search(found.text, start)
            if written is None:
                continue
            label = found.label(start, start + 1, f'the text of "{key}" starts here')
            message = f'this line is text of "{key}", not the key "{name}"'
            help_ = f'indent it like "{key}" if it is a key'
            found.report("AP1021", message, *written.span(1), labels=(label,), help=help_)
            break
