"""A whole reply to what a Builder or an Auditor is read to have said."""

from autopack.runners import facts
from autopack.runners.facts import AuditorFacts, BuilderFacts
from autopack.runners.reply.outcome import Refusal, RefusedError, Reply, Review, refuse
from autopack.runners.reply.reader import scanned
from autopack.runners.reply.scan import Scan


def parse_builder(text: str, finish_reason: str) -> Reply | Refusal:
    """Facts are optional. A reply of facts alone has no edits: whether that is enough is the gate's question."""
    try:
        scan = scanned(text, finish_reason)
        return Reply(scan.edits_by_file(), _builder_facts(scan), "\n".join(scan.prose))
    except RefusedError as refused:
        return refused.refusal


def parse_auditor(text: str, finish_reason: str) -> Review | Refusal:
    """The facts block is required."""
    try:
        scan = scanned(text, finish_reason)
        return Review(_auditor_facts(scan), scan.edits_by_file())
    except RefusedError as refused:
        return refused.refusal


def _facts_block(scan: Scan) -> tuple[str, int] | None:
    if len(scan.facts) > 1:
        lines = " and ".join(str(line - 1) for _, line in scan.facts)
        refuse("facts_error", f"the reply has several facts blocks (lines {lines}): one is allowed")
    return scan.facts[0] if scan.facts else None


def _builder_facts(scan: Scan) -> BuilderFacts:
    block = _facts_block(scan)
    if block is None:
        return BuilderFacts()
    try:
        return facts.builder(*block)
    except facts.FactsError as error:
        refuse("facts_error", f"facts block in line {block[1] - 1} of the reply: {error}")


def _auditor_facts(scan: Scan) -> AuditorFacts:
    block = _facts_block(scan)
    if block is None:
        refuse("facts_error", "the facts block is missing: a fenced block with the info string `autopack`")
    try:
        return facts.auditor(*block)
    except facts.FactsError as error:
        refuse("facts_error", f"facts block in line {block[1] - 1} of the reply: {error}")
