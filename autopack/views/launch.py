"""How a run is begun and taken up again: the one place where plan, store, repository and hands are put together."""

import hashlib
import json
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from autopack.drive import Driver, fold
from autopack.journal.durable import write
from autopack.journal.errors import RunExists
from autopack.journal.store import Store, open_store
from autopack.journal.writer import Writer
from autopack.plan import canonical
from autopack.plan.model import OUTSIDE, Plan, load, pinned
from autopack.run import events as ev
from autopack.run.continued import continued
from autopack.run.state import RunState
from autopack.runners import git
from autopack.runners.cassette import Cassette, Recording
from autopack.runners.hands import Hands
from autopack.runners.model import Answer, LiteLLM, ModelClient, Request, preload
from autopack.spec.template import RUN_ID
from autopack.views import artifacts, backlogged
from autopack.views.projection import row

REPLAY = "replay"
BASES = ".bases"  # in the artifacts folder: what CI said of base commits

Observe = Callable[[Plan, RunState, ev.Event | None], None]


class NotStarted(Exception):
    """A run that can't begin: usage or configuration, said with the next action."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a project's runs live. `folder` is the artifacts folder, `store` a file or a database URL."""

    root: Path
    repository: Path
    folder: Path
    store: str

    def run_folder(self, run_id: str) -> Path:
        return self.folder / run_id


@dataclass(frozen=True, slots=True)
class Options:
    """What a run needs beside its plan, kept in the run's folder so that a resume needs no flags.

    Models of the provider `replay` answer from the cassette; with `replay_all` every model does.
    """

    cassette: str | None = None
    record: str | None = None
    replay_all: bool = False


def place_of(root: Path, repository: str, folder: str, store: str, repo: Path | None = None) -> Place:
    """The places that a project's keys name; `repo` (`--repo`) outweighs the project's repository."""
    where = root / folder
    at = backlogged.store_at(root, folder, store)
    return Place(root, (repo or root / repository).resolve(), where, at)


def new_run_id(playbook: str) -> str:
    """Sorted by time, unique, safe as a ref and as a file name."""
    slug = "".join(c if c.isalnum() and c.isascii() else "-" for c in playbook).strip("-")[:32] or "run"
    return f"{slug}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def begin(place: Place, plan: Plan, run_id: str, options: Options, observe: Observe) -> RunState:
    """A new run, to its terminal state. Raises NotStarted, RunExists, GitError, drive.Interrupted, store errors."""
    return _begun(place, plan, f"refs/heads/{plan.base_branch}", run_id, options, observe)


def continuation(place: Place, run_id: str, caps: Mapping[str, int | Decimal]) -> tuple[str, Plan, Options]:
    """The name, plan and options of a run that goes on where a budget stopped `run_id`. Raises NotStarted."""
    with open_store(place.store, create=False) as store:
        plan, run = folded(store, run_id)
        taken = {found.run_id for found in store.runs()}
    if not run.done:
        raise NotStarted(f"run {run_id} has not ended; go on with: autopack resume {run_id}")
    if run.state != "DONE_FAILED_BUDGET_EXHAUSTED":
        fact = f"run {run_id} ended in {run.state}, which no budget can mend"
        raise NotStarted(f"{fact}; start a new run with `autopack run`")
    return next_run_id(run_id, taken), continued(plan, run, caps), kept(place.run_folder(run_id))


def go_on(place: Place, plan: Plan, run_id: str, options: Options, observe: Observe) -> RunState:
    """The run that `continuation` has planned, to its terminal state. Raises as `begin` does."""
    assert plan.base_commit is not None
    return _begun(place, plan, plan.base_commit, run_id, options, observe)


def next_run_id(run_id: str, taken: AbstractSet[str]) -> str:
    """`run` -> `run-r1` -> `run-r2`, the first that is free."""
    stem, _, number = run_id.rpartition("-r")
    if not stem or not number.isdecimal():
        stem, number = run_id, "0"
    return next(name for n in count(int(number) + 1) if (name := f"{stem}-r{n}") not in taken)


def _begun(place: Place, plan: Plan, base: str, run_id: str, options: Options, observe: Observe) -> RunState:
    """A new run from the commit that `base` names."""
    home = _private_home(place, run_id)
    with git.open_repository(place.repository, home=home) as repository:
        commit = repository.resolve(base)
        _free(repository, plan, run_id)
        _within(repository, plan, commit)
    with suppress(OSError):
        home.rmdir()  # and no more: somebody who is driving a run of this name lives there
    fixed = _named(pinned(plan, commit), run_id)
    text = canonical.text(fixed)
    _client(fixed, options)  # what it lacks is said before there is a run
    prepare(place.folder)
    with open_store(place.store, create=True) as store:
        if any(found.run_id == run_id for found in store.runs()):
            raise RunExists(store.place, run_id)
        _keep(place.run_folder(run_id), options)  # first: a run without them could not be resumed
        store.create_run(run_id, plan.project, text, hashlib.sha256(text.encode()).hexdigest(), time.time())
        return _drive(place, store, run_id, observe)


def take_up(place: Place, run_id: str, observe: Observe) -> RunState:
    """A run that an earlier driver left, to its terminal state; one that has ended is just folded again."""
    with open_store(place.store, create=False) as store:
        return _drive(place, store, run_id, observe)


def peek(place: Place, run_id: str) -> tuple[Plan, RunState]:
    """A run as its journal tells it, without touching it. Raises UnknownRun, JournalDamaged, StoreMissing."""
    with open_store(place.store, create=False) as store:
        return folded(store, run_id)


def ask_to_cancel(place: Place, run_id: str, by: str) -> None:
    """Leave word for whoever drives the run."""
    write(place.run_folder(run_id) / "cancel", by.encode())


# --- one drive ---


def _drive(place: Place, store: Store, run_id: str, observe: Observe) -> RunState:
    """To the end, and the run's files. Of a run that has ended already only what its driver left undone is done."""
    with ExitStack() as stack:
        writer = stack.enter_context(store.writer(run_id))
        home = _private_home(place, run_id)
        stack.callback(_put_away, home)
        git.sweep(home)
        plan, state = folded(store, run_id)
        if not state.done:
            state = _driven(place, store, writer, home, plan, state, observe)
        backlogged.fold(store, plan, state, time.time())
        artifacts.finish(place.run_folder(run_id), store, plan, state)
    return state


def _driven(
    place: Place, store: Store, writer: Writer, home: Path, plan: Plan, state: RunState, observe: Observe
) -> RunState:
    run_id = state.run_id
    with ExitStack() as stack:
        ref = "refs/heads/" + plan.branch(run_id)
        writes = (ref, f"refs/tags/autonomous/{run_id}/")
        repository = stack.enter_context(git.open_repository(place.repository, home=home, writes=writes))
        pool = stack.enter_context(git.Pool(home, repository, f"refs/heads/{plan.base_branch}"))
        standing = store.freeze(plan.project, run_id, backlogged.committed(repository, plan.base_commit or ""))
        cancelled = _cancelled_by(place, run_id) is not None
        options = kept(place.run_folder(run_id))
        client = LiteLLM() if cancelled else _client(plan, options)
        driver = Driver(
            plan=plan,
            state=state,
            writer=writer,
            hands=Hands(
                plan,
                run_id,
                repository,
                pool,
                client,
                store,
                writer,
                dict(os.environ),
                _called(plan, options),
                standing,
                _private_places(place, home),
                str(place.folder / BASES),
                charged=not options.replay_all,
            ),
            now=time.monotonic,
            wall=time.time,
            observe=lambda then, event: observe(plan, then, event),
            cancel_wanted=lambda: _cancelled_by(place, run_id),
            summary=lambda then: row(plan, then),
            place=home.name,
        )
        calls = {key: call.reply for key, call in store.calls(run_id).items()}
        with _signals(driver):
            ended = driver.drive(store.intents(run_id), calls)
        if isinstance(client, Recording):
            client.finish()
        return ended


def _private_places(place: Place, home: Path) -> tuple[str, ...]:
    """What no sandboxed step may see: the project, its runs and their store, and the worktrees of other runs."""
    return tuple(map(str, (place.root, place.repository, place.folder, home.parent)))


def folded(store: Store, run_id: str) -> tuple[Plan, RunState]:
    """A run as its journal tells it. Raises UnknownRun, JournalDamaged."""
    found = store.run(run_id)
    plan = load(store.plan(run_id))
    return plan, fold(plan, run_id, found.plan_sha256, ((event.type, event.body) for event in store.events(run_id)))


def prepare(folder: Path) -> None:
    try:
        artifacts.prepare(folder)
    except OSError as error:
        raise NotStarted(
            f"runs can't be kept in {folder}: {error.strerror}; make it a folder that you may write to, "
            "or set artifacts.path in autopack.yaml"
        ) from error


def _free(repository: git.Repository, plan: Plan, run_id: str) -> None:
    """The run's branch and tags must have room: what stands there was made by somebody else."""
    name = plan.branch(run_id)
    if repository.branch_head(f"refs/heads/{name}") is not None:
        raise NotStarted(f"branch {name} exists already; give the run another id with --run-id, or delete the branch")
    hooks = git.hooks_of(repository) if plan.hooks == "refuse" else None
    if hooks is not None:
        fact = f"{repository.place} has hooks that a run's commits would bypass: {', '.join(hooks.names)}"
        raise NotStarted(f"{fact}; say in the ruleset what shall become of them, landing: {{hooks: run}} or skip")
    for wanted in (f"refs/heads/{name}", f"refs/tags/autonomous/{run_id}/"):
        there = repository.in_the_way(wanted)
        if there is not None:
            fact = f"{there} leaves no room for {wanted}"
            raise NotStarted(f"{fact}; rename or delete it, or give the run another id with --run-id")


def _within(repository: git.Repository, plan: Plan, commit: str) -> None:
    """A run commits to one repository: what a phase has to deliver in a submodule could never land."""
    found = repository.submodules_of(commit, {path for phase in plan.phases for path in phase.deliverables})
    for phase in plan.phases:
        for path in phase.deliverables:
            if path in found:
                fact = f'phase "{phase.phase_id}" has to deliver {path}, and {found[path]} is a submodule'
                raise NotStarted(f"{fact}; build it with a project of its own, whose repository is the submodule's")


def _named(plan: Plan, run_id: str) -> Plan:
    """The plan with the run's id where texts ask for it."""
    text = canonical.text(plan)
    return load(text.replace(RUN_ID, run_id)) if RUN_ID in text else plan


def _private_home(place: Place, run_id: str) -> Path:
    """Outside any checkout, because test runners look for their configuration in the folders above. So a relative
    XDG_CACHE_HOME counts as none, as its specification says. Raises NotStarted.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():
        try:
            cache = Path.home() / ".cache"
        except RuntimeError:
            raise NotStarted("this user has no home folder to work in; set HOME or XDG_CACHE_HOME") from None
    project = hashlib.sha256(os.fsencode(place.folder.resolve())).hexdigest()[:16]
    return cache / "autopack" / f"{project}-{run_id}"


def _put_away(home: Path) -> None:
    """The run's lock keeps its home to this driver: what is still in there now belongs to nobody.

    What refuses to go (an immutable file, a mount in use) is left: how the run ended is not changed by it.
    """
    with suppress(OSError):
        git.remove_tree(os.fspath(home))


def _cancelled_by(place: Place, run_id: str) -> str | None:
    try:
        return (place.run_folder(run_id) / "cancel").read_text(encoding="utf-8").strip() or "somebody"
    except FileNotFoundError:
        return None


@contextmanager
def _signals(driver: Driver) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP stop the driver gracefully; a second one of the first two is taken as usual.

    A terminal that is closed sends SIGHUP twice, once the kernel and once the shell. Under `nohup` it means nothing.
    """
    former: dict[int, Any] = {}

    def stop(number: int, _frame: object) -> None:
        driver.interrupt()
        if number != signal.SIGHUP:
            signal.signal(number, former[number])

    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if name != signal.SIGHUP or signal.getsignal(name) != signal.SIG_IGN:
            former[name] = signal.signal(name, stop)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


# --- who answers ---


@dataclass(frozen=True, slots=True)
class Switchboard:
    """Models of the provider `replay` answer from the cassette, all others through LiteLLM."""

    cassette: ModelClient | None
    real: ModelClient

    def complete(self, request: Request) -> Answer:
        if request.litellm.startswith(f"{REPLAY}/") and self.cassette is not None:
            return self.cassette.complete(request)
        return self.real.complete(request)


def _client(plan: Plan, options: Options) -> ModelClient:
    """Raises NotStarted where nobody could answer, CassetteError for a damaged cassette."""
    cassette = Cassette(Path(options.cassette)) if options.cassette else None
    kinds = {model.provider == REPLAY for model in plan.models.values() if model.provider not in OUTSIDE}
    if cassette is None and True in kinds:
        raise NotStarted("models of this plan answer from a cassette; name one with --replay")
    client: ModelClient
    if cassette is not None and (options.replay_all or kinds == {True}):
        client = cassette
    else:
        preload()
        client = Switchboard(cassette, LiteLLM())
    return Recording(client, Path(options.record)) if options.record else client


def _called(plan: Plan, options: Options) -> frozenset[str]:
    """The models that are really asked."""
    if options.replay_all:
        return frozenset()
    return frozenset(name for name, model in plan.models.items() if model.provider not in (REPLAY, *OUTSIDE))


def _keep(folder: Path, options: Options) -> None:
    said = {"cassette": options.cassette, "record": options.record, "replay_all": options.replay_all}
    write(folder / "options.json", json.dumps(said, sort_keys=True).encode())


def kept(folder: Path) -> Options:
    """What a run was started with. Raises NotStarted where somebody has written something else there."""
    place = folder / "options.json"
    try:
        found: Any = json.loads(place.read_bytes())
    except FileNotFoundError:
        return Options()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        action = "put it back, or delete it: then every model is really asked"
        raise NotStarted(f"{place} is not what a run writes; {action}")
    return Options(found.get("cassette"), found.get("record"), bool(found.get("replay_all")))
