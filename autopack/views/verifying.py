"""The evidence of a run, checked again: every event, blob, wish, commit, trailer, tag, issue file and artefact.

What can be checked depends on what is there. With the store everything is compared with the journal, whose hash chain
starts at the plan's digest. A clone without the store still has its commits, tags, trailers and issue files; what then
could not be checked is said.
"""

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from autopack.journal.errors import BlobDamaged, BlobMissing, JournalDamaged, RowDamaged
from autopack.journal.rows import CallRow, EventRow, IntentRow
from autopack.journal.store import Store
from autopack.plan import canonical
from autopack.plan.model import Plan
from autopack.plan.standing import KINDS, place_of
from autopack.run import effects as ef
from autopack.run import records
from autopack.run.events import Landed
from autopack.run.state import RunState
from autopack.runners import git, record
from autopack.runners.hands import landed_tag, snapshot_message, tag_message
from autopack.views import artifacts, replaying
from autopack.views.projection import row as row_of

TRAILERS = (
    *("Autopack-Run", "Autopack-Phase", "Autopack-Attempt", "Autopack-Plan", "Autopack-Model"),
    *("Autopack-Cost", "Autopack-Edit", "Autopack-CI", "Autopack-Audit"),
)
_SHAPES = {
    "Autopack-Attempt": re.compile(r"[1-9]\d*"),
    "Autopack-Plan": re.compile(r"[0-9a-f]{64}"),
    "Autopack-CI": re.compile(r"[0-9a-f]{64}"),
    "Autopack-Cost": re.compile(r"\d+(?:\.\d+)?"),
    "Autopack-Edit": re.compile(r"rung=\d+ fuzz=\d+"),
}
_BLOBS = ("request", "reply", "patch", "evidence", "blob", "logs")
"""Fields of events and effects that name blobs."""

OWN = ("options.json", "cancel")
"""Files in a run's folder that are no part of its record."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not what it was: `kind` is a stable word, `place` says where."""

    kind: str
    place: str
    fact: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.place}: {self.fact}"


@dataclass(slots=True)
class Verified:
    """`checked` counts what was compared, by kind; `unchecked` says what could not be, and why."""

    run_id: str
    faults: list[Fault] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    unchecked: list[str] = field(default_factory=list)

    def saw(self, kind: str, count: int = 1) -> None:
        self.checked[kind] = self.checked.get(kind, 0) + count

    def expect(self, kind: str, place: str, found: object, wanted: object) -> bool:
        """Count one comparison; a difference becomes a fault."""
        self.saw(kind)
        if found != wanted:
            self.faults.append(Fault(kind, place, f"{_word(found)} where {_word(wanted)} belongs"))
        return found == wanted

    def fault(self, kind: str, place: str, fact: str) -> None:
        self.faults.append(Fault(kind, place, fact))


# --- a run of this store ---


def of_run(store: Store, run_id: str, repository: git.Repository | None, folder: Path | None) -> Verified:
    """Everything that is known of a run. Raises UnknownRun."""
    found = Verified(run_id)
    try:
        _of_run(store, found, repository, folder)
    except RowDamaged as error:
        found.fault("row", error.place, error.fact)
    return found


def _of_run(store: Store, found: Verified, repository: git.Repository | None, folder: Path | None) -> None:
    run_id = found.run_id
    row = store.run(run_id)
    plan = _plan(store, found, row.plan_sha256)
    if plan is None:
        return
    found.expect("run", f"{run_id}, project", row.project, plan.project)
    events = _events(store, found)
    if events is None:
        return
    replayed = replaying.replay(replaying.Record(run_id, plan, row.plan_sha256, events))
    if replayed.difference is not None:
        found.fault("decision", f"event {replayed.difference.event}", str(replayed.difference))
        return
    found.saw("decision", replayed.events)
    state = replayed.state
    found.expect("run", run_id, row.state, state.state)
    if row.summary is not None or events:
        wanted = json.loads(canonical.text(row_of(plan, state)))
        found.expect("run", f"{run_id}, summary", row.summary, wanted)
    intents = store.intents(run_id)
    _wishes(found, intents, replayed.wishes, events)
    _calls(store.calls(run_id), found, intents, replayed.wishes, events)
    _blobs(store, found, events, intents)
    if not state.done:
        found.unchecked.append(f"the run is {state.state}: what is still to come")
    if repository is None:
        found.unchecked.append("commits and tags: there is no repository here")
    else:
        try:
            _branch(store, found, repository, plan, state, intents, replayed.wishes, events)
        except git.GitFailed as error:
            found.fault("object", f"refs/heads/{plan.branch(run_id)}", error.fact)
    if state.done and not store.has_folded(plan.project, run_id):
        found.unchecked.append(f"the backlog: the run was not counted into it yet; `autopack resume {run_id}` does so")
    if folder is None or not state.done:
        found.unchecked.append("the run's folder: it is written when a run has ended")
    else:
        _folder(store, found, folder, plan, state)


def _plan(store: Store, found: Verified, plan_sha256: str) -> Plan | None:
    try:
        text = store.plan(found.run_id)
        plan = canonical.load(Plan, text)
    except (BlobDamaged, BlobMissing, canonical.NotThisShape, UnicodeDecodeError) as error:
        found.fault("plan", plan_sha256, str(error))
        return None
    found.expect("plan", plan_sha256, canonical.digest(plan), plan_sha256)
    return plan


def _events(store: Store, found: Verified) -> list[EventRow] | None:
    try:
        events = list(store.events(found.run_id))
    except (JournalDamaged, ValueError) as error:
        found.fault("event", getattr(error, "place", found.run_id), getattr(error, "fact", str(error)))
        return None
    found.saw("event", len(events))
    return events


def _wishes(
    found: Verified, intents: Mapping[str, IntentRow], wishes: Mapping[str, ef.Effect], events: list[EventRow]
) -> None:
    """What was started is what the machine had wished, and every answer answers something that was started."""
    for key, intent in intents.items():
        wish = wishes.get(key)
        place = f"{intent.effect_type} {key[:12]}"
        if wish is None:
            found.fault("intent", place, "the machine never wished this")
        else:
            found.expect("intent", place, (intent.effect_type, intent.body), (type(wish).__name__, _json(wish)))
            ends = intent.token.startswith(f"{found.run_id}-") and intent.token.endswith(f"-{key[:16]}")
            found.expect("intent", f"{place}, the mark of its children names it", ends, wanted=True)
    for row in events:
        key = str(row.body.get("key", ""))
        if key and key not in intents and row.type != "CallDropped":
            found.fault("intent", f"event {row.seq} ({row.type})", f"what it answers ({key[:12]}) was never started")


def _calls(
    calls: Mapping[str, CallRow],
    found: Verified,
    intents: Mapping[str, IntentRow],
    wishes: Mapping[str, ef.Effect],
    events: list[EventRow],
) -> None:
    """The reply that was kept before anybody believed it is the one that was believed; what was reserved for it and
    when it was begun is what its wish says.
    """
    answers = {row.body["key"]: row for row in events if row.type == "ModelAnswered"}
    lost = {row.body["key"]: row for row in events if row.type == "EffectLost"}
    for key, intent in intents.items():
        if key not in calls and isinstance(wishes.get(key), ef.PAID):
            found.fault("call", f"{intent.effect_type} {key[:12]}", "its reservation is not in the ledger")
    for key, call in calls.items():
        wish, begun = wishes.get(key), intents.get(key)
        if not isinstance(wish, ef.PAID) or begun is None:
            found.fault("call", key[:12], "the machine never wished this")
            continue
        reserved = call.reserved_tokens, call.reserved_cost_usd, call.at
        found.expect("call", f"{key[:12]}, what was reserved", reserved, (*_reservation(wish), begun.at))
        if key in lost and call.reply is not None:
            found.fault("call", f"{key[:12]}, lost as event {lost[key].seq}", "it has a reply, which nobody believed")
        answer = answers.get(key)
        if answer is None:
            continue
        told = {name: value for name, value in answer.body.items() if name not in ("key", "elapsed_s")}
        kept = {name: value for name, value in (call.reply or {}).items() if name not in ("key", "elapsed_s")}
        found.expect("call", f"{key[:12]}, believed as event {answer.seq}", kept, told)
    for key, row in answers.items():
        if key not in calls:
            found.fault("call", f"event {row.seq}", "its call is not in the ledger")


def _reservation(wish: ef.CallModel | ef.RunBuilder) -> tuple[int, Decimal]:
    if isinstance(wish, ef.RunBuilder):
        return wish.tokens, Decimal(0)
    return wish.input_tokens_max + wish.output_tokens_max, wish.cost_usd_max


def _blobs(store: Store, found: Verified, events: list[EventRow], intents: Mapping[str, IntentRow]) -> None:
    wanted: dict[str, str] = {}
    for row in events:
        wanted.update(dict.fromkeys(_named(row.body), f"event {row.seq} ({row.type})"))
    for key, intent in intents.items():
        for blob in _named(intent.body):
            wanted.setdefault(blob, f"{intent.effect_type} {key[:12]}")
    for blob, where in wanted.items():
        try:
            store.blob(blob)
        except (BlobDamaged, BlobMissing) as error:
            found.fault("blob", f"{blob[:12]}, of {where}", error.fact)
        else:
            found.saw("blob")


def _named(body: Any, name: str = "") -> Iterator[str]:
    if isinstance(body, Mapping):
        for key, value in body.items():
            yield from _named(value, name if name == "logs" else str(key))
    elif isinstance(body, list):
        for item in body:
            yield from _named(item, name)
    elif name in _BLOBS and isinstance(body, str) and re.fullmatch(r"[0-9a-f]{64}", body):
        yield body


# --- what git holds ---


def _branch(
    store: Store,
    found: Verified,
    repository: git.Repository,
    plan: Plan,
    state: RunState,
    intents: Mapping[str, IntentRow],
    wishes: Mapping[str, ef.Effect],
    events: list[EventRow],
) -> None:
    ref = f"refs/heads/{plan.branch(state.run_id)}"
    landings = [row for row in events if row.type == Landed.__name__]
    head = repository.branch_head(ref)
    if head is None and not landings and not any(row.type == "RunOpened" for row in events):
        return
    found.expect("branch", ref, head, state.head)
    tags = repository.tags(f"refs/tags/autonomous/{state.run_id}/")
    for row in landings:
        wish = wishes[row.body["key"]]
        assert isinstance(wish, ef.Land)
        _landing(store, found, repository, plan, state, wish, row, int(intents[row.body["key"]].at), tags)
    named = {f"refs/tags/{row.body['tag']}" for row in landings}
    for extra in sorted(tags.keys() - named):
        found.fault("tag", extra, "the run never made it")
    damaged = repository.damaged_objects(state.head, plan.base_commit)
    if damaged:
        found.fault("object", ref, damaged)
    found.saw("object", len(landings))
    _protected(found, repository, plan, state)


def _landing(
    store: Store,
    found: Verified,
    repository: git.Repository,
    plan: Plan,
    state: RunState,
    wish: ef.Land,
    row: EventRow,
    at: int,
    tags: Mapping[str, git.Tag],
) -> None:
    """One commit is what its landing made: parent, message, trailers, code and issue files."""
    commit, phase = str(row.body["commit"]), plan.phase(wish.phase_id)
    place = f"{commit[:12]} (phase {wish.phase_id})"
    facts = repository.read_commit(commit)
    if facts is None:
        found.fault("commit", place, "it is gone")
        return
    found.expect("commit", f"{place}, parents", facts.parents, (wish.head,))
    found.expect("commit", f"{place}, author", (facts.author, facts.at), ("autopack <autopack@localhost>", at))
    found.expect("commit", f"{place}, message", facts.message, snapshot_message(phase.name, wish.trailers))
    _trailers(found, place, repository.read_trailers(commit), dict(wish.trailers), state, wish)
    _code(found, repository, state, wish, commit, place)
    _record(store, found, repository, plan, wish, commit, place, at)
    name = f"refs/tags/{row.body['tag']}"
    found.expect("tag", f"{name}, name", row.body["tag"], landed_tag(state.run_id, phase))
    wanted = git.Tag(commit, tag_message(phase.name, state.run_id), "autopack <autopack@localhost>", at)
    found.expect("tag", name, tags.get(name), wanted)


def _trailers(
    found: Verified, place: str, there: Mapping[str, str], wanted: Mapping[str, str], state: RunState, wish: ef.Land
) -> None:
    for name in dict.fromkeys((*wanted, *there)):
        found.expect("trailer", f"{place}, {name}", there.get(name), wanted.get(name))
    phase = state.phases[wish.phase_id]
    if phase.ci is not None:
        found.expect("trailer", f"{place}, Autopack-CI against the journal", wanted["Autopack-CI"], phase.ci.digest)
    found.expect("trailer", f"{place}, Autopack-Plan", wanted["Autopack-Plan"], state.plan_sha256)


def _code(
    found: Verified,
    repository: git.Repository,
    state: RunState,
    wish: ef.Land,
    commit: str,
    place: str,
) -> None:
    """The code is the patch that gate, CI and audit saw."""
    candidate = state.phases[wish.phase_id].candidate
    if candidate is None:
        return
    wanted = hashlib.sha256(repository.diff(wish.head, commit, without=record.PREFIX)).hexdigest()
    found.expect("commit", f"{place}, its change against patch {candidate.patch[:12]}", wanted, candidate.patch)


def _record(
    store: Store,
    found: Verified,
    repository: git.Repository,
    plan: Plan,
    wish: ef.Land,
    commit: str,
    place: str,
    at: int,
) -> None:
    """The issue files, backlog and calibration that landed are made anew from the journal."""
    if wish.observed is None:
        return
    standing = store.frozen(plan.project, found.run_id)
    if standing is None:
        found.fault("row", f"what stood before run {found.run_id}", "it is gone")
        return
    places = {place_of(kind): kind for kind in KINDS}
    before = {places[p]: t.decode("utf-8", "replace") for p, t in repository.read_files(wish.head, places).items()}
    candidate = repository.diff_stat(wish.head, commit).paths
    changed = tuple(path for path in candidate if not path.startswith(record.PREFIX))
    wanted = record.files(plan, found.run_id, wish, changed, standing, before, at)
    there = repository.read_files(commit, wanted)
    for path, content in wanted.items():
        found.expect("issue file", f"{place}, {path}", _sha(there.get(path)), _sha(content))


def _protected(found: Verified, repository: git.Repository, plan: Plan, state: RunState) -> None:
    """No protected ref holds a commit of the run, unless it was promoted since."""
    for name, old in state.protected_refs.items():
        found.saw("protected ref")
        now = repository.branch_head(name)
        if now is None:
            found.fault("protected ref", name, f"it is gone; it was at {old[:12]} when the run began")
        elif now != old and git.holds_commit_of(repository, state.run_id, now, plan.base_commit or old):
            found.unchecked.append(f"{name} holds commits of this run: it was promoted, or somebody merged it")


# --- the folder ---


def _folder(store: Store, found: Verified, folder: Path, plan: Plan, state: RunState) -> None:
    """Every file is made anew from the record and compared; a file that the run did not write is told."""
    if not folder.is_dir():
        found.unchecked.append(f"the run's folder: {folder} is not there; `autopack resume {found.run_id}` writes it")
        return
    with tempfile.TemporaryDirectory(prefix="autopack-verify-") as scratch:
        again = Path(scratch) / found.run_id
        try:
            artifacts.finish(again, store, plan, state)
        except (BlobDamaged, BlobMissing) as error:
            found.unchecked.append(f"the run's folder: it can't be made anew without blob {error.sha256[:12]}")
            return
        wanted = {path.relative_to(again).as_posix(): path for path in again.rglob("*") if path.is_file()}
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        for name, path in wanted.items():
            if name in there:
                found.expect(
                    "artefact", str(folder / name), _sha((folder / name).read_bytes()), _sha(path.read_bytes())
                )
            elif name not in OWN:
                found.fault("artefact", str(folder / name), "it is gone")
        for name in sorted(there - wanted.keys()):
            if name not in OWN and not name.endswith(".cassette.jsonl"):
                found.fault("artefact", str(folder / name), "the run did not write it")


# --- a branch alone ---


def of_branch(repository: git.Repository, branch: str) -> Verified:
    """What a clone without the store can prove: that commits, tags and issue files belong together."""
    head = repository.resolve(branch)
    first = repository.read_trailers(head)
    run_id = first.get("Autopack-Run", "")
    found = Verified(run_id or branch)
    found.unchecked.append("the journal, its blobs and the run's folder: this store does not hold the run")
    if not run_id:
        found.fault("commit", f"{head[:12]} ({branch})", "it carries no Autopack-Run trailer")
        return found
    tags = repository.tags(f"refs/tags/autonomous/{run_id}/")
    if not tags:
        found.unchecked.append("tags: none of this run are here (git fetch --tags)")
    phases: dict[str, str] = {}
    for commit in repository.line_of(run_id, head):
        _alone(found, repository, commit, first, phases, tags)
    for name, tag in sorted(tags.items()):
        if tag.target not in phases.values():
            found.fault("tag", name, f"it names {tag.target[:12]}, which is not on {branch}")
    damaged = repository.damaged_objects(head, None)
    if damaged:
        found.fault("object", branch, damaged)
    return found


def _alone(
    found: Verified,
    repository: git.Repository,
    commit: str,
    first: Mapping[str, str],
    phases: dict[str, str],
    tags: Mapping[str, git.Tag],
) -> None:
    there, place = repository.read_trailers(commit), commit[:12]
    for name in TRAILERS:
        shape = _SHAPES.get(name)
        if name not in there or (shape and not shape.fullmatch(there[name])):
            found.fault("trailer", f"{place}, {name}", f"{there.get(name)!r} is not what a run writes")
        found.saw("trailer")
    phase = there.get("Autopack-Phase", "")
    place = f"{place} (phase {phase})"
    for name in ("Autopack-Run", "Autopack-Plan"):
        found.expect("trailer", f"{place}, {name}", there.get(name), first.get(name))
    if phase in phases:
        found.fault("commit", place, f"the phase has another commit, {phases[phase][:12]}")
    phases[phase] = commit
    facts = repository.read_commit(commit)
    if facts is not None:
        found.expect("commit", f"{place}, author", facts.author, "autopack <autopack@localhost>")
    if tags:
        own = [tag for name, tag in tags.items() if name.endswith(f"/phase-{phase}")]
        found.expect("tag", f"{place}, its tag", [tag.target for tag in own], [commit])
    _files_alone(found, repository, commit, there.get("Autopack-Run", ""), phase, place)


def _files_alone(found: Verified, repository: git.Repository, commit: str, run_id: str, phase: str, place: str) -> None:
    """The issue files of this very commit agree with its index."""
    folder = record.folder_of(run_id)
    paths = [e.path for e in repository.list_names(commit) if e.path.startswith(f"{folder}/")]
    if not paths:
        found.unchecked.append(f"{place}: no issue files are committed")
        return
    files = repository.read_files(commit, paths)
    try:
        told = {path.removeprefix(f"{folder}/"): json.loads(content) for path, content in files.items()}
        index = told.pop(records.INDEX)["issues_by_key"]
        found.expect("issue file", f"{place}, a file of its own", phase in {t["phase_id"] for t in told.values()}, True)
        for name, each in sorted(told.items()):
            keys = sorted(issue["issue_key"] for issue in each["issues"])
            wanted = sorted(key for key, entry in index.items() if each["phase_id"] in entry["seen_in_phases"])
            found.expect("issue file", f"{place}, {name}, issues", keys, wanted)
            found.expect("issue file", f"{place}, {name}, run", each["run_id"], run_id)
            named = name.removesuffix("_issues.json").partition("_")[2].partition("_")[2]
            found.expect("issue file", f"{place}, {name}, phase", each["phase_id"], named)
        for text in repository.read_files(commit, [place_of(kind) for kind in KINDS]).values():
            json.loads(text)
            found.saw("issue file")
    except (ValueError, KeyError, TypeError) as error:
        found.fault("issue file", f"{place}, {folder}", f"not what a run writes: {type(error).__name__} {error}")


# --- words ---


def _json(value: object) -> Any:
    return json.loads(canonical.text(value))


def _sha(content: bytes | None) -> str:
    return "nothing" if content is None else f"sha256 {hashlib.sha256(content).hexdigest()[:16]}"


def _word(value: object) -> str:
    words = " ".join((value if isinstance(value, str) else repr(value)).split())
    return words if len(words) <= 100 else f"{words[:100]}..."
