"""What each pass of the compiler does, a file each in `passes/`: what was written, and what the pass makes of it.

The first part of a file is written by hand, the second is what the test compares with. `make golden` writes the second
part anew; read the difference before you commit it. `project.yaml` and `rules.yaml` are optional, as is a backlog.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from autopack.plan import canonical
from autopack.plan.backlog import BacklogEntry
from autopack.plan.commands import entered
from autopack.plan.compiler import PASSES
from autopack.plan.draft import Draft, DraftPhase, Value
from autopack.plan.model import Ask, Attempt, Worst
from autopack.plan.seal import seal
from autopack.problem import Problem, Span
from tests.plan.folder import Folder

HERE = Path(__file__).parent / "passes"
BETWEEN = "\n---\n# after the pass\n"
NAMES = (*(step.__name__ for step in PASSES), "seal")


def test_every_pass_has_a_file_and_no_file_is_without_a_pass() -> None:
    assert sorted(path.stem for path in HERE.glob("*.yaml")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_pass_makes_of_what_was_written_what_its_file_says(name: str, tmp_path: Path) -> None:
    file = HERE / f"{name}.yaml"
    given, _, expected = file.read_text(encoding="utf-8").partition(BETWEEN)
    made = _dumped(_made(name, yaml.safe_load(given), Folder(tmp_path).project()))
    if os.environ.get("AUTOPACK_REWRITE_GOLDEN"):
        file.write_text(given.rstrip("\n") + BETWEEN + made, encoding="utf-8")
        expected = made
    assert made == expected


def _made(name: str, given: Mapping[str, Any], folder: Folder) -> Any:
    """The part of the draft that the pass is about, after all passes before it."""
    for path, text in given["files"].items():
        folder.file(path, text)
    backlog = {row["issue_key"]: canonical.build(BacklogEntry, row) for row in given.get("backlog", ())}
    draft, before = Draft(entered(folder.spec()), jobs=2, backlog=backlog), 0
    for step in PASSES:
        before = len(draft.problems)
        draft = step(draft)
        if step.__name__ == name:
            break
    found = [_found(each) for each in draft.problems[before:]]
    said = SHOWN[name](draft)
    return {**said, "findings": found} if found else said


# --- what of a draft each pass is about -----------------------------------------------------------------------------


def _each(about: Callable[[DraftPhase], Any]) -> Callable[[Draft], dict[str, Any]]:
    return lambda draft: {"phases": {phase.spec.id: about(phase) for phase in draft.phases}}


def _expanded(phase: DraftPhase) -> Any:
    return {"tier": phase.tier.id, "needs": list(phase.needs)}


def _aged(phase: DraftPhase) -> Any:
    own = {"tier": phase.tier.id, "needs": list(phase.needs), "writes": list(phase.spec.scope.write)}
    if phase.aged:
        own["with more care for"] = list(phase.aged)
    return {**own, "scheduled for": list(phase.scheduled), "goal": phase.spec.goal} if phase.scheduled else own


def _inherited(draft: Draft) -> Any:
    chosen = ("complexity", "ci", "builder_attempts", "auditor_attempts", "token_cap", "auto_apply", "high_risk")
    phases = {p.spec.id: {name: _value(draft, p.values[name]) for name in chosen} for p in draft.phases}
    return {"phases": phases, "caps": canonical.plain(draft.caps)}


def _value(draft: Draft, value: Value) -> str:
    place = "" if value.at is None else f", {_place(draft.spec.span(value.at))}"
    return f"{value.value}  ({value.layer}{place})"


def _routed(phase: DraftPhase) -> Any:
    ladder = [_rung(rung) for rung in (*phase.kind.attempts, *phase.kind.patches)]
    audits = [_ask(ask) for ask in phase.kind.auditors]
    return {
        "why": phase.kind.why,
        "ladder": ladder,
        "audits": audits,
        "instead": [a.model for a in phase.kind.audit_fallbacks],
    }


def _rung(rung: Attempt) -> str:
    instead = "".join(f", else {ask.model}" for ask in rung.fallbacks)
    return f"{rung.step}: {_ask(rung.ask)}{instead}, {rung.edit_format}"


def _ask(ask: Ask) -> str:
    return f"{ask.model} reads {ask.input_tokens_max:,} writes {ask.output_tokens_max:,}"


def _worst(worst: Worst) -> str:
    cost = "UNBOUNDED" if worst.cost_usd is None else f"{worst.cost_usd:f} USD"
    return f"{worst.calls} calls, {worst.tokens:,} tokens, {cost}, {worst.minutes:,} minutes"


def _sealed(draft: Draft) -> Any:
    """The plan as it is written, but for what a reader of this file would skip: texts of several lines."""
    return _shortened(canonical.plain(seal(draft)))


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, str) and "\n" in value.strip():
        return f"{value.splitlines()[0]} ... ({len(value.splitlines())} lines)"
    return value


SHOWN: Mapping[str, Callable[[Draft], dict[str, Any]]] = {
    "expand": _each(_expanded),
    "age": _each(_aged),
    "order": lambda draft: {"order": [phase.spec.id for phase in draft.phases]},
    "keep_apart": lambda _: {},
    "inherit": _inherited,
    "stage": _inherited,
    "obey": lambda _: {},
    "cover": lambda _: {},
    "route": _each(_routed),
    "split": lambda draft: {"runs": [list(run) for run in draft.runs]},
    "prove_budget": _each(lambda phase: _worst(phase.kind.worst)),
    "seal": _sealed,
}


# --- in words -------------------------------------------------------------------------------------------------------


def _found(problem: Problem) -> Any:
    told = {f"{problem.severity} {problem.code}": problem.message, "at": _place(problem.span)}
    labels = [f"{_place(label.span)} {label.text}" for label in problem.labels]
    return {**told, **({"also": labels} if labels else {}), "help": problem.help}


def _place(span: Span | None) -> str:
    """What ships is named without its lines, which are nobody's business here."""
    if span is None or span.path.startswith("builtin:"):
        return "nowhere" if span is None else span.path
    return f"{span.path}:{span.line}:{span.column}"


class _Dumper(yaml.SafeDumper):
    """Blocks for texts of several lines, as a person would write them."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _dumped(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=116, allow_unicode=True)
