"""CI of a candidate and of the base commit: which tests run, what counts, who moved a branch meanwhile."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from autopack.journal.store import Store
from autopack.plan import canonical, judges
from autopack.plan.model import Plan, PlanPhase, Profile
from autopack.run import effects as ef
from autopack.run import events as ev
from autopack.runners import affected, ci, git, integrity, process, record, sandbox
from autopack.runners.ci.profile import standing
from autopack.runners.ci.selection import EVERYTHING, Selection, takes
from autopack.runners.protection import Protection
from autopack.runners.redact import redact
from autopack.runners.ticket import Ticket
from autopack.runners.trial import OUTPUT, Trials
from autopack.spec.paths import matches

MESSAGE_CHARS = 600


@dataclass(frozen=True)
class Verdicts:
    """`kept` is the folder in which what a profile says of a base commit is kept for the next run, or None."""

    plan: Plan
    repository: git.Repository
    trials: Trials
    store: Store
    protection: Protection
    kept: str | None = None

    # --- the base commit ---

    def preflight(self, effect: ef.Preflight, ticket: Ticket) -> ev.PreflightFinished:
        profile = self.plan.profiles[effect.profile]
        found = None if effect.seen else self._remembered(profile, effect.commit)
        if found is None:
            result, _ = self.trials.run(profile, effect.commit, ticket)
            if result.verdict == "unusable" or self._never_set_up(effect.profile, result):
                return _preflight("unusable", self._names(()), 0, result, (), settled=False)
            found = _Base(standing(result), _failing(result), result.executed_tests, result.flaky)
        else:
            result = None
        seen = frozenset(self._known(effect.seen)) if effect.seen else None
        now = frozenset(found.standing)
        stays = now if seen is None else now & seen
        flaky = tuple(sorted({*found.flaky, *(now ^ (seen or now))}))
        settled = not found.failing if seen is None else now == seen
        if result is None or settled:
            settled = True
            self._remember(profile, effect.commit, found)
        verdict = "red" if stays and found.failing else "green"
        return _preflight(verdict, self._names(stays), found.failing, result, flaky, settled=settled)

    def _never_set_up(self, profile: str, result: ci.CiResult) -> bool:
        """Where setup fails before any change, no test of any patch would ever run, unless one may mend it."""
        broken = any(step.setup and step.outcome != "ok" for step in result.steps)
        return broken and not judges.may_mend_setup(self.plan, profile)

    def _names(self, names: "frozenset[str] | tuple[str, ...]") -> str:
        return self.trials.writer.put_blob(json.dumps(sorted(names)).encode())

    def _known(self, blob: str | None) -> tuple[str, ...]:
        return tuple(json.loads(self.store.blob(blob))) if blob else ()

    def _place(self, profile: Profile, commit: str) -> str | None:
        """By commit, profile and the environment that the profile hands on."""
        passed = {name: self.trials.environ.get(name) for name in profile.env_pass}
        key = canonical.digest({"profile": profile, "commit": commit, "passed": passed})
        return os.path.join(self.kept, f"{key}.json") if self.kept else None

    def _remembered(self, profile: Profile, commit: str) -> "_Base | None":
        """What an earlier run saw there; not where the sandbox or a command that it takes is gone."""
        place = self._place(profile, commit)
        if place is None or (profile.sandbox != "none" and sandbox.fault(self.trials.environ)) or self._lacks(profile):
            return None
        try:
            with open(place, encoding="utf-8") as file:
                return canonical.load(_Base, file.read())
        except (OSError, canonical.NotThisShape):
            return None

    def _lacks(self, profile: Profile) -> bool:
        """A command that was there may be gone; those of the repository's own are not asked for."""
        env = process.scrubbed(self.trials.environ, profile.env_pass, profile.env_set)
        names = [step.run[0] for step in (*profile.setup, *profile.steps) if step.run]
        return not all(process.found(name, "/", env) for name in names if "/" not in name or name.startswith("/"))

    def _remember(self, profile: Profile, commit: str, found: "_Base") -> None:
        place = self._place(profile, commit)
        if place is None:
            return
        os.makedirs(os.path.dirname(place), exist_ok=True)
        fresh = f"{place}.{os.getpid()}.new"
        with open(fresh, "w", encoding="utf-8") as file:
            file.write(canonical.text(found))
        os.replace(fresh, place)

    # --- a candidate ---

    def finished(self, effect: ef.RunCi, ticket: Ticket) -> ev.CiFinished | ev.EffectFailed:
        """Base tests first, where the patch changes tests; then the profile."""
        profile = self.plan.profiles[effect.profile]
        seen = self.protection.seen()
        known = self._known(effect.standing)
        old, extra = self._base_tests(profile, effect, ticket, known)
        if old is not None and old.verdict == "red" and not self._may_change_tests(effect):
            told = replace(old, evidence=_BASE_TESTS + old.evidence)
            answer = self._told(effect, told, extra, "the base commit's tests", ())
        else:
            selection = self._selection(profile, effect)
            result, logs = self.trials.run(profile, effect.commit, ticket, selection=selection, known=known)
            if result.verdict == "unusable":
                return ev.EffectFailed("", 0.0, "ci_unusable", redact(result.evidence))
            answer = self._told(effect, result, logs, selection.why, self._seen_in(old, effect))
            if old is not None and old.verdict == "red":
                answer = replace(answer, logs=self._with_base_tests(answer.logs, old))
        guilty, issues = self.protection.judged(seen, effect.phase_id, effect.commit, profile)
        if guilty:
            return ev.EffectFailed("", 0.0, "protected_ref", guilty)
        return replace(answer, issues=(*answer.issues, *issues))

    def _told(
        self,
        _effect: ef.RunCi,
        result: ci.CiResult,
        logs: Mapping[str, str],
        selection: str,
        issues: tuple[ev.ReportedIssue, ...],
    ) -> ev.CiFinished:
        return ev.CiFinished(
            key="",
            elapsed_s=0.0,
            verdict="green" if result.verdict == "green" else "red",
            digest=result.digest,
            executed_tests=result.executed_tests,
            failing=result.failing,
            evidence=self.trials.writer.put_blob(redact(result.evidence).encode()),
            logs=logs,
            flaky=result.flaky,
            issues=issues,
            tolerated=result.tolerated,
            selection=selection,
        )

    def _selection(self, profile: Profile, effect: ef.RunCi) -> Selection:
        if not any(takes(step) for step in profile.steps):
            return EVERYTHING
        changed = self.repository.diff_stat(effect.base, effect.commit).paths
        return affected.select(self._sources(effect.commit), self._sources(effect.base), changed)

    def overlaps(self, phase: PlanPhase, base: str, head: str, commit: str) -> bool:
        """Whether what landed between `base` and `head` may change what CI says of the phase's change, now `commit`.

        It does in a file of the phase's scope, or where a test can be affected by both. Which tests those are is asked
        only of profiles that can be limited to them; where it can't be told, they overlap.
        """
        landed = [path for path in self.repository.diff_stat(base, head).paths if not path.startswith(record.PREFIX)]
        if any(matches(path, (*phase.write, *phase.read, *phase.deliverables)) for path in landed):
            return True
        if not any(takes(step) for step in self.plan.profiles[phase.ci].steps):
            return False
        now = self._sources(commit)
        theirs = affected.reached(now, self._sources(base), landed)
        ours = affected.reached(now, self._sources(head), self.repository.diff_stat(head, commit).paths)
        return theirs is None or ours is None or bool(theirs & ours)

    def _sources(self, commit: str) -> affected.Tree:
        paths = [entry.path for entry in self.repository.list_names(commit) if entry.is_regular]
        wanted = [path for path in paths if affected.is_read(path)]
        return affected.Tree(frozenset(paths), self.repository.read_files(commit, wanted))

    # --- the base commit's tests on the patched code ---

    def _base_tests(
        self, profile: Profile, effect: ef.RunCi, ticket: Ticket, known: tuple[str, ...]
    ) -> tuple[ci.CiResult | None, dict[str, str]]:
        """What the tests that the patch changes or removes said before, now; None where it changes none."""
        changed = self.repository.diff_stat(effect.base, effect.commit).paths
        before = {entry.path: entry for entry in self.repository.list_names(effect.base) if entry.is_regular}
        paths = [path for path in changed if path in before and _checks(path)]
        steps = tuple(replace(step, affected=True) for step in profile.steps if step.junit is not None)
        if not paths or not steps:
            return None, {}
        old = self.repository.read_files(effect.base, paths)
        changes = {path: git.FileChange(old[path], before[path].mode) for path in old}
        tree = self.repository.write_tree(effect.commit, changes)
        identity = git.Identity("autopack", "autopack@localhost")
        commit = self.repository.commit(tree, [effect.commit], _BASE_COMMIT, int(ticket.at), identity)
        tests = tuple(path for path in paths if integrity.is_collected(path))
        narrow = Selection(tests, "tests that the patch changes") if len(tests) == len(paths) else EVERYTHING
        result, logs = self.trials.run(replace(profile, steps=steps), commit, ticket, selection=narrow, known=known)
        return result, logs

    def _may_change_tests(self, effect: ef.RunCi) -> bool:
        return "test_changes" in self.plan.phase(effect.phase_id).allow

    def _seen_in(self, old: ci.CiResult | None, effect: ef.RunCi) -> tuple[ev.ReportedIssue, ...]:
        """With the grant what the old tests say is evidence, and a major issue calls the Auditor."""
        if old is None or old.verdict != "red":
            return ()
        category = self.plan.phase(effect.phase_id).category
        failing = ", ".join(old.failing[:5])
        return (
            ev.ReportedIssue(
                issue_key=f"{category}__{effect.phase_id}__base_tests_fail",
                severity="major",
                category=category,
                source="test",
                description=f"the base commit's tests fail on the patched code: {failing}",
                evidence_refs=old.failing[:20],
            ),
        )

    def _with_base_tests(self, logs: Mapping[str, str], old: ci.CiResult) -> dict[str, str]:
        """Told to the Auditor before what CI printed."""
        said = self.store.blob(logs[OUTPUT]).decode("utf-8", "replace") if OUTPUT in logs else ""
        words = redact(f"The base commit's tests on the patched code:\n{old.evidence}\nCI:\n{said}")
        return {**logs, OUTPUT: self.trials.writer.put_blob(words.encode())}


def _checks(path: str) -> bool:
    """What the old tests consist of: their code, and what they read to compare with."""
    return path.endswith(".py") if integrity.is_test(path) else integrity.is_test_data(path)


_BASE_COMMIT = "The candidate with the base commit's tests\n"
_BASE_TESTS = (
    "The tests as they were before this patch fail on the patched code. Keep what they check, or leave them as they "
    "are: this phase has no leave to change tests.\n"
)


@dataclass(frozen=True, slots=True)
class _Base:
    """What a profile says of a base commit."""

    standing: tuple[str, ...]
    failing: int
    executed_tests: int
    flaky: tuple[str, ...]


def _failing(result: ci.CiResult) -> int:
    """Without steps that only found no test: a project may begin without one."""
    idle = {step.id for step in result.steps if step.outcome == "no_tests"}
    return sum(name not in idle for name in result.failing)


def _preflight(
    verdict: str, names: str, failing: int, result: ci.CiResult | None, flaky: tuple[str, ...], *, settled: bool
) -> ev.PreflightFinished:
    told = redact(" ".join(result.evidence.split()))[:MESSAGE_CHARS] if result and result.verdict != "green" else ""
    return ev.PreflightFinished(
        key="",
        elapsed_s=0.0,
        verdict=verdict,  # type: ignore[arg-type]  # one of the three words
        standing=names,
        failing=failing,
        executed_tests=result.executed_tests if result else 0,
        flaky=flaky,
        settled=settled,
        message=told,
    )
