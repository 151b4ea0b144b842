"""A model's reply -> edits and facts. Parsed once, strictly; everything after works on the result.

Knows text only. Prose is ignored, but nothing that looks like an edit is: what can be read in two ways, or is cut off,
is a Refusal whose message says where and what was expected. Places are lines of the reply, from 1.
"""

from autopack.runners.edit import Edit, Hunk
from autopack.runners.facts import AuditorFacts, BuilderFacts, Finding, Issue
from autopack.runners.reply.outcome import Refusal, Reply, Review
from autopack.runners.reply.parse import parse_auditor, parse_builder

__all__ = [
    "AuditorFacts",
    "BuilderFacts",
    "Edit",
    "Finding",
    "Hunk",
    "Issue",
    "Refusal",
    "Reply",
    "Review",
    "parse_auditor",
    "parse_builder",
]
