"""Rehearsals as people and programs read them: lines of text, JSON, JUnit's XML."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree as ET

from autopack.plan import canonical
from autopack.problem import Problem
from autopack.problem.report import escape, headline
from autopack.run.ledger import RUN
from autopack.run.state import RunState
from autopack.views.rehearsal import Rehearsal, way
from autopack.views.table import paragraph
from autopack.views.text import duration, money, tokens

FORMAT_VERSION = 1


def transitions(run: RunState) -> int:
    """How often a phase moved."""
    return sum(len(phase.path) - 1 for phase in run.phases.values())


def summary(rehearsals: Sequence[Rehearsal]) -> str:
    passed = sum(each.passed for each in rehearsals)
    moves = sum(transitions(each.run) for each in rehearsals if each.run)
    scenarios = f"{len(rehearsals):,} scenario{'' if len(rehearsals) == 1 else 's'}"
    verdict = (
        " as expected" if passed == len(rehearsals) else f": {passed:,} as expected, {len(rehearsals) - passed:,} not"
    )
    return f"{scenarios}{verdict} ({moves:,} moves of phases)"


def lines(each: Rehearsal, columns: int) -> str:
    """One rehearsal and the way of each of its phases, in so many columns."""
    sign = "ok" if each.passed else "NO"
    if each.run is None:
        return f"{sign}  {escape(each.path)}: not rehearsed"
    spent = each.run.ledger.spent(RUN)
    told = f"{money(spent.cost_usd)}, {tokens(spent.tokens)} tokens, {duration(each.run.elapsed_s)}"
    rows = [paragraph(f"{sign}  {each.path}: {each.name}: {each.run.state}, {told}", columns, 6)]
    trace = each.trace or {}
    width = max(map(len, trace), default=0)
    for phase_id, moments in trace.items():
        indent = " " * (width + 8)
        rows += textwrap.wrap(
            f"      {phase_id:{width}}  {way(moments)}", columns, subsequent_indent=indent, drop_whitespace=True
        )
    return "\n".join(rows)


# --- JSON ---------------------------------------------------------------------------------------------------------


def document(rehearsals: Sequence[Rehearsal]) -> dict[str, Any]:
    passed = sum(each.passed for each in rehearsals)
    return {
        "format_version": FORMAT_VERSION,
        "scenarios": [_scenario(each) for each in rehearsals],
        "summary": {"scenarios": len(rehearsals), "passed": passed, "failed": len(rehearsals) - passed},
    }


def _scenario(each: Rehearsal) -> dict[str, Any]:
    scenario = each.found.scenario
    return {
        "path": each.path,
        "name": scenario.name if scenario else None,
        "playbook": scenario.playbook if scenario else None,
        "passed": each.passed,
        "run": _run(each.run) if each.run else None,
        "findings": [_finding(found) for found in each.problems],
    }


def _run(run: RunState) -> dict[str, Any]:
    spent = run.ledger.spent(RUN)
    return {
        "state": run.state,
        "failure_reason": run.failure.reason if run.failure else None,
        "failure": run.failure.message if run.failure else None,
        "tokens": spent.tokens,
        "cost_usd": canonical.plain(spent.cost_usd),
        "elapsed_s": run.elapsed_s,
        "phases": {
            phase_id: {
                "state": phase.state,
                "failure_reason": phase.failure.reason if phase.failure else None,
                "path": list(phase.path),
                "builder_calls": sum(call.role == "builder" for call in phase.calls),
                "auditor_calls": sum(call.role == "auditor" for call in phase.calls),
                "ci_runs": phase.ci_runs,
            }
            for phase_id, phase in run.phases.items()
        },
    }


def _finding(found: Problem) -> dict[str, Any]:
    span: Mapping[str, Any] = found.span._asdict() if found.span else {}
    return {"code": found.code, "severity": found.severity, "message": found.message, "help": found.help, **span}


# --- JUnit --------------------------------------------------------------------------------------------------------


def junit(rehearsals: Sequence[Rehearsal]) -> str:
    """One test a scenario, one suite a folder; what could not be played is an error, what went wrong a failure."""
    failed = sum(each.run is not None and not each.passed for each in rehearsals)
    errors = sum(each.run is None for each in rehearsals)
    counts = {"tests": str(len(rehearsals)), "failures": str(failed), "errors": str(errors)}
    root = ET.Element("testsuites", {"name": "autopack rehearse", **counts})
    suites: dict[str, list[Rehearsal]] = {}
    for each in rehearsals:
        suites.setdefault(str(PurePosixPath(each.path).parent), []).append(each)
    for folder, members in suites.items():
        suite = ET.SubElement(root, "testsuite", _counts(escape(folder), members))
        for each in members:
            _case(suite, folder, each)
    ET.indent(root)
    text: bytes = ET.tostring(root, "us-ascii", xml_declaration=True)
    return text.decode() + "\n"


def _counts(name: str, members: Sequence[Rehearsal]) -> dict[str, str]:
    return {
        "name": name,
        "tests": str(len(members)),
        "failures": str(sum(each.run is not None and not each.passed for each in members)),
        "errors": str(sum(each.run is None for each in members)),
    }


def _case(suite: ET.Element, folder: str, each: Rehearsal) -> None:
    stem = PurePosixPath(each.path).stem
    title = f"{stem}: {each.name}" if each.name else stem
    case = ET.SubElement(suite, "testcase", name=escape(title), classname=escape(folder))
    grave = [found for found in each.problems if found.severity == "error"]
    if each.passed:
        return
    said = ET.SubElement(case, "error" if each.run is None else "failure")
    said.set("message", escape(grave[0].message if grave else "not rehearsed"))
    said.text = "\n".join(
        headline(found, color=False) + (f"\nhelp: {escape(found.help)}" if found.help else "") for found in grave
    )
