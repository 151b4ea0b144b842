"""What `plan -v` and `show --prompt` add: of each phase who is asked what, how often, how much, and why."""

from collections.abc import Iterator, Sequence

from autopack.plan.model import Ask, Plan, PlanPhase
from autopack.plan.select import differing
from autopack.plan.shape import Shape, shape
from autopack.views.table import paragraph, table
from autopack.views.text import money, tokens


def verbose(plan: Plan, width: int | None = None) -> str:
    """A paragraph for each phase."""
    known = shape(plan)
    parts = ["\n".join(_phase(plan, phase, known, width)) for phase in plan.phases]
    path = paragraph(f"Critical path, at most {known.length:,.0f} minutes: {_path(known.critical)}", width)
    return "\n\n".join([*parts, path])


def _path(names: Sequence[str], ends: int = 6) -> str:
    """Of a long one both ends."""
    left = len(names) - 2 * ends
    between = [f"({left:,} more)"] if left > 0 else []
    shown = [*names[:ends], *between, *names[len(names) - ends :]] if between else names
    return " -> ".join(shown) or "nothing"


def since(old: Plan, new: Plan, name: str, width: int | None = None) -> str:
    """What became of the phases since an earlier plan, in one sentence."""
    before, after = ({phase.phase_id for phase in plan.phases} for plan in (old, new))
    both = [phase.phase_id for phase in new.phases if phase.phase_id in before]
    changed = {each: sorted(differing(old, new, each) - {"base"}) for each in both}
    modified = [f"{each} ({', '.join(facets)})" for each, facets in changed.items() if facets]
    fresh = [phase.phase_id for phase in new.phases if phase.phase_id not in before]
    gone = [phase.phase_id for phase in old.phases if phase.phase_id not in after]
    parts = [
        f"{len(names)} {what}: {_some(names)}"
        for what, names in (("modified", modified), ("new", fresh), ("gone", gone))
        if names
    ]
    return paragraph(f"Since {name}: {'; '.join(parts) or 'no phase has changed'}.", width)


def prompts(phase: PlanPhase) -> str:
    """What Builder and Auditor are told of the phase; files and the edit format come with each request."""
    return f"--- Builder ---\n{phase.builder_prompt}\n--- Auditor ---\n{phase.auditor_prompt}\n"


def _phase(plan: Plan, phase: PlanPhase, known: Shape, width: int | None) -> Iterator[str]:
    yield from (paragraph(line, width, HANG) for line in _facts(plan, phase, known))
    also = any(attempt.fallbacks for attempt in phase.attempts)
    heading = ("  try", "step", "model", "format", "reads", "writes", *([""] if also else []))
    yield table(heading, (row[: len(heading)] for row in _ladder(phase)), frozenset({4, 5}), width)


HANG = 8
"""Where the facts of a phase begin, behind what they are called."""


def _facts(plan: Plan, phase: PlanPhase, known: Shape) -> Iterator[str]:
    name = phase.phase_id
    risk = "high risk" if phase.high_risk else f"{phase.complexity} complexity"
    yield f"{name}: {phase.name}" if phase.name != name else name
    yield f"  why     {phase.why}; {risk}; CI {phase.ci}: {_some([step.id for step in plan.profiles[phase.ci].steps])}"
    yield f"  writes  {_some(phase.write)}"
    if known.edges[name]:
        yield f"  needs   {_some(known.edges[name])}"
    yield f"  time    at most {phase.worst.minutes:,} minutes, {_slack(known, name)}"
    worst = phase.worst
    yield f"  cost    at most {money(worst.cost_usd)} for {worst.tokens:,} tokens in {worst.calls} calls"
    yield f"  prompt  Builder {_size(phase.builder_prompt)}, Auditor {_size(phase.auditor_prompt)}"


def _ladder(phase: PlanPhase) -> Iterator[tuple[str, ...]]:
    for number, attempt in enumerate(phase.attempts, 1):
        form: str = attempt.edit_format
        also = _also(attempt.fallbacks)
        yield f"  {number}.", attempt.step, attempt.ask.model, form, *_bounds(attempt.ask), also
    when = "each candidate" if phase.audited else "when suspicious"
    yield "  +", f"audit, {when}", phase.audit.model, "-", *_bounds(phase.audit), ""


def _slack(known: Shape, name: str) -> str:
    return "on the critical path" if name in known.critical else f"{known.slack[name]:,.0f} of slack"


def _bounds(ask: Ask) -> tuple[str, str]:
    return tokens(ask.input_tokens_max), tokens(ask.output_tokens_max)


def _also(fallbacks: Sequence[Ask]) -> str:
    return f"else {', '.join(ask.model for ask in fallbacks)}" if fallbacks else ""


def _size(text: str) -> str:
    """A byte is a token at most: that is how requests are bounded."""
    return f"{len(text.encode()):,} bytes"


def _some(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
