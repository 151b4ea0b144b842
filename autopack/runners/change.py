"""From a Builder's reply to a tree: parse, match, gate, write. Whatever is refused says why, in the Builder's terms."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from autopack.plan import judges
from autopack.plan.model import Argv, Plan, PlanPhase, Profile
from autopack.run.events import ReportedIssue
from autopack.runners import edit, gate, git, integrity, outside, reply
from autopack.runners.ci.selection import is_pytest
from autopack.runners.redact import redact
from autopack.spec.paths import matches


@dataclass(frozen=True, slots=True)
class Change:
    """A tree that passed the gate. `rung` and `fuzz` are those of the worst-placed block."""

    tree: str
    rung: int
    fuzz: int
    summary: str
    issues: tuple[ReportedIssue, ...]


class Refused(Exception):
    """Nothing was written. `kind` is a stable word, `evidence` the details for the next attempt."""

    def __init__(self, kind: str, message: str, evidence: str, issues: tuple[ReportedIssue, ...] = ()) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.evidence = evidence
        self.issues = issues


def candidate(
    plan: Plan,
    phase: PlanPhase,
    repository: git.Repository,
    base: str,
    shown: Mapping[str, str],
    text: str,
    finish_reason: str,
) -> Change:
    """The tree that the reply makes of `base`. Raises Refused, git.GitUnusable."""
    return _edited(plan, phase, repository, base, reply.parse_builder(text, finish_reason), shown)


def submitted(plan: Plan, phase: PlanPhase, repository: git.Repository, base: str, patch: str) -> Change:
    """The tree that a client's patch makes of `base`, which it has seen for itself. Raises Refused, git.GitUnusable."""
    return _edited(plan, phase, repository, base, outside.parsed(patch), None)


def _edited(
    plan: Plan,
    phase: PlanPhase,
    repository: git.Repository,
    base: str,
    parsed: reply.Reply | reply.Refusal,
    shown: Mapping[str, str] | None,
) -> Change:
    if isinstance(parsed, reply.Refusal):
        raise Refused(parsed.outcome, parsed.message, parsed.message)
    issues = reported(phase, parsed.facts.issues, "cursor_self_doubt")
    present = {entry.path: entry for entry in repository.list_names(base)}
    rules = _rules(plan, phase, frozenset(present))
    named = dict.fromkeys(path for item in parsed.edits for path in item.paths)
    _pass(gate.admitted(named, rules), issues)
    edited = _editable(parsed.edits, present)
    files = repository.read(present[path] for path in {*edited, *(shown or ())} if path in present)
    before = {path: files.get(path) for path in edited}
    if shown is not None:
        _seen(before, shown, issues)
    known = files | before  # a block may belong to another file: a hint, no more
    applied = edit.apply(known, parsed.edits, fuzz_cap=phase.limits.fuzz)
    if isinstance(applied, edit.EditFailed):
        raise Refused("edit_failed", _first_line(applied.evidence()), applied.evidence(), issues)
    found = gate.check(before, applied, parsed, rules)
    _pass(found, issues)
    changes = {path: git.FileChange(change.content, change.mode) for path, change in applied.changes.items()}
    try:
        tree = repository.write_tree(base, changes, present.values())
    except git.TreeRefused as error:
        raise Refused("scope", str(error), str(error), issues) from error
    worst = max(applied.placements, key=lambda placement: placement.fuzz, default=None)
    noted = _noted(phase, found)
    return Change(tree, worst.rung if worst else 0, worst.fuzz if worst else 0, parsed.facts.summary, issues + noted)


def taken(
    plan: Plan, phase: PlanPhase, repository: git.Repository, base: str, left: Mapping[str, git.FileChange]
) -> Change:
    """The tree that a command has left behind, after the same gate. Raises Refused, git.GitUnusable."""
    present = {entry.path: entry for entry in repository.list_names(base)}
    odd = sorted(path for path, each in left.items() if each.mode not in (None, *git.REGULAR))
    odd += sorted(path for path in left if path in present and not present[path].is_regular)
    if odd:
        words = f"{', '.join(odd)}: a symbolic link or submodule can't be made or changed"
        raise Refused("scope", words, words)
    files = repository.read(present[path] for path in left if path in present)
    before = {path: files.get(path) for path in sorted(left)}
    applied = edit.Applied({path: edit.Change(each.content, mode=each.mode) for path, each in left.items()})
    found = gate.check(before, applied, reply.Reply(()), _rules(plan, phase, frozenset(present)))
    _pass(found, ())
    try:
        tree = repository.write_tree(base, left, present.values())
    except git.TreeRefused as error:
        raise Refused("scope", str(error), str(error)) from error
    return Change(tree, 0, 0, "", _noted(phase, found))


def carried(plan: Plan, phase: PlanPhase, repository: git.Repository, head: str, commit: str) -> None:
    """The gate once more for a candidate that was carried onto a moved head. Raises Refused, git.GitUnusable."""
    touched = repository.diff_stat(head, commit).paths
    if not touched and "empty_patch" not in phase.allow:
        words = "what landed meanwhile is what this patch does: nothing of it is left"
        raise Refused("no_op", words, words)
    present = {entry.path: entry for entry in repository.list_names(head)}
    before = repository.read(present[path] for path in touched if path in present)
    after = repository.read_files(commit, touched)
    applied = edit.Applied({path: edit.Change(after.get(path)) for path in touched}, ())
    rules = _rules(plan, phase, frozenset(present))
    _pass(gate.check_carried({p: before.get(p) for p in touched}, applied, rules), ())


def reported(phase: PlanPhase, found: Iterable[reply.Issue | reply.Finding], source: str) -> tuple[ReportedIssue, ...]:
    """What a model reported, under stable keys, without secrets; one it gave no key gets one made of what it says."""
    return tuple(
        ReportedIssue(
            issue_key=redact(
                issue.issue_key or issue_key(phase.category, issue.path or phase.phase_id, issue.description)
            ),
            severity=issue.severity,
            category=redact(issue.category) or phase.category,
            source=source,
            description=redact(issue.description),
            evidence_refs=tuple(map(redact, issue.evidence_refs)),
        )
        for issue in found
    )


def issue_key(category: str, subject: str, defect: str) -> str:
    """`<category>__<object>__<defect>`; the defect is named by a digest of its words, so equal words meet again."""
    words = " ".join(defect.casefold().split())
    return f"{category}__{subject}__{hashlib.sha256(words.encode()).hexdigest()[:12]}"


def _editable(edits: Iterable[reply.Edit], present: Mapping[str, git.Entry]) -> list[str]:
    """The paths of the edits, those that are new included."""
    paths = {path for item in edits for path in item.paths}
    special = sorted(path for path in paths if path in present and not present[path].is_regular)
    if special:
        words = f"{', '.join(special)}: a symbolic link or submodule can't be edited"
        raise Refused("scope", words, words)
    return sorted(paths)


def _seen(before: Mapping[str, bytes | None], shown: Mapping[str, str], issues: tuple[ReportedIssue, ...]) -> None:
    """A file is only changed by who was shown exactly this content of it."""
    for path, content in before.items():
        if content is not None and shown.get(path) != hashlib.sha256(content).hexdigest():
            words = f"{path} exists, and you were not shown it: it can't be changed unseen"
            raise Refused("scope", words, words, issues)


def _rules(plan: Plan, phase: PlanPhase, present: frozenset[str]) -> gate.GateRules:
    limits = phase.limits
    return gate.GateRules(
        write=phase.write,
        protected=plan.protected_paths,
        allow=frozenset(phase.allow),
        allowed_protected=phase.allowed_protected,
        limits=gate.Limits(limits.files, limits.changed_lines, limits.file_bytes, limits.shrink, limits.growth),
        deliverables=phase.deliverables,
        present=present,
        ci_files=(*ci_files(plan.profiles[phase.ci], present), *probe_files(phase, present)),
        left_out=left_out(plan.profiles[phase.ci]),
    )


def ci_files(profile: Profile, present: AbstractSet[str]) -> tuple[str, ...]:
    """The files of the repository that the profile's commands name or, being make, read unasked.

    Makefiles count where there is none yet: make prefers some names to others. Test files have rules of their own.
    """
    return _judging([step.run for step in (*profile.setup, *profile.steps)], present)


def probe_files(phase: PlanPhase, present: AbstractSet[str]) -> tuple[str, ...]:
    """Those that its probes run and that the phase is not there to write."""
    return tuple(path for path in _judging(phase.probes, present) if not matches(path, phase.deliverables))


def _judging(commands: Iterable[Argv], present: AbstractSet[str]) -> tuple[str, ...]:
    there = {path for argv in commands for path in judges.named(argv) if path in present}
    unasked = {path for argv in commands for path in judges.unasked(argv)}
    return tuple(sorted({path for path in there if not integrity.is_collected(path)} | unasked))


def left_out(profile: Profile) -> tuple[str, ...]:
    """The marks that the profile's commands speak of (`-m "not e2e"`): who sets one decides whether a test runs."""
    words = [word for step in profile.steps if is_pytest(step.run) for word in _after(step.run, "-m")]
    return tuple(sorted({name for word in words for name in re.findall(r"[A-Za-z_]\w*", word)} - _OPERATORS))


_OPERATORS = {"not", "and", "or", "True", "False"}


def _after(argv: Argv, option: str) -> Iterator[str]:
    """What the option says, where it is pytest's: `python -m pytest` is none of them."""
    for number, word in enumerate(argv[:-1]):
        if word == option and argv[number + 1] not in ("pytest", "py.test"):
            yield argv[number + 1]


def _pass(found: tuple[gate.GateFinding, ...], issues: tuple[ReportedIssue, ...]) -> None:
    blocking = [finding for finding in found if finding.severity == "block"]
    if blocking:
        lines = [_line(finding) for finding in blocking]
        raise Refused(blocking[0].kind, lines[0], "\n".join(lines), issues)


def _noted(phase: PlanPhase, found: tuple[gate.GateFinding, ...]) -> tuple[ReportedIssue, ...]:
    """What the gate saw and let pass goes on record."""
    return tuple(
        ReportedIssue(
            issue_key=issue_key(phase.category, finding.path, f"{finding.kind} {finding.message}"),
            severity="major" if finding.severity == "major" else "minor",
            category=phase.category,
            source="static_check",
            description=redact(_line(finding)),
            evidence_refs=(finding.path,),
        )
        for finding in found
    )


def _line(finding: gate.GateFinding) -> str:
    place = finding.path + (f":{finding.line}" if finding.line else "")
    return f"{place}: {finding.kind}: {finding.message}"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
