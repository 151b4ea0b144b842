"""PLAN_BOOTSTRAP: a description becomes documents and a playbook that validates and compiles, with nobody in the loop.

Not a run: it writes files into the checkout, for people to read and commit, and nothing else. Money is bounded as in
a run: a call whose upper bound does not fit what is left is not sent.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from autopack.journal import durable
from autopack.plan.compiler import compile as compile_spec
from autopack.plan.price import Usage, cost, upper_bound
from autopack.plan.worst import price_of
from autopack.problem import Problem
from autopack.problem.report import render
from autopack.runners import bootstrap, git
from autopack.runners.model import Answer, ModelClient, Request, input_upper_bound
from autopack.runners.request import Messages
from autopack.spec.load import load
from autopack.spec.model import Model, Retry, Spec
from autopack.spec.paths import is_secret_like
from autopack.views import artifacts

STUB = b"""\
autopack: playbook/v1
name: stub
tiers: [{id: T1, phases: [{id: stub, category: docs, goal: stub, scope: {write: [README.md]}}]}]
"""
README_NAMES = ("README.md", "README.rst", "README.txt", "README")
DESCRIPTION_BYTES_MAX = 1_000_000
PASSING = ("rate_limited", "transient")


class NotBootstrapped(Exception):
    """Nothing was written. `reason`: usage, findings, budget or environment."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Wanted:
    """`root` is the project's folder, `update` lets existing documents be replaced."""

    root: Path
    description: Path
    name: str
    model: str | None
    attempts: int
    cost_usd_max: Decimal
    update: bool
    today: str

    @property
    def paths(self) -> tuple[str, ...]:
        """The documents and, last, the playbook, relative to the root."""
        return (*(f"docs/{self.name}/{document}" for document in bootstrap.DOCUMENTS), f"playbooks/{self.name}.yaml")


@dataclass(frozen=True, slots=True)
class Spent:
    calls: int = 0
    tokens: int = 0
    cost_usd: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Asking:
    client: ModelClient
    retry: Retry
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """`problems` are the warnings that the playbook has."""

    files: Mapping[str, str]
    model: str
    spent: Spent
    problems: tuple[Problem, ...] = field(default=())


def name_of(description: Path) -> str:
    """The description's file name as an id: letters, digits and hyphens."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", description.stem).strip("-")[:48].lower()
    return slug if slug[:1].isalpha() else f"plan-{slug}".rstrip("-")


def run(wanted: Wanted, client: ModelClient, say: Callable[[str], None]) -> Bootstrapped:
    """Ask, check, ask again with what was wrong; write all files at the end. Raises NotBootstrapped."""
    description = _read(wanted.description)
    _room(wanted)
    spec = _stub(wanted)
    model = _model(spec, wanted.model)
    asked, asking = _asked(wanted, spec, description), Asking(client, spec.ruleset.retry, say)
    spent, refused, previous = Spent(), "", ""
    for number in range(1, wanted.attempts + 1):
        say(f"PLAN_BOOTSTRAP: asking {model.name}, try {number} of {wanted.attempts}")
        answer, spent = _call(asking, model, bootstrap.messages(asked, refused, previous), number, spent, wanted)
        files = bootstrap.taken(answer.text, answer.finish_reason, wanted.paths)
        problems: list[Problem] = []
        if not isinstance(files, str):
            problems = _judged(wanted, files)
            refused = _told(wanted, files, problems)
            if not refused:
                _write(wanted.root, files)
                return Bootstrapped(files, model.name, spent, tuple(problems))
        else:
            refused = files
        previous = answer.text
        say(f"PLAN_BOOTSTRAP: not taken: {refused.strip().splitlines()[0]}")
    kept = _kept(wanted, previous)
    raise NotBootstrapped(
        "findings",
        f"no reply of {wanted.attempts} was usable ({spent.cost_usd:,f} USD); the last one said:\n{refused.rstrip()}\n"
        f"It is kept in {kept}. Say more in the description, raise --attempts, or name another --model.",
    )


# --- what is asked ---


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotBootstrapped("usage", f"{path} can't be read: {error.strerror}") from error
    if len(data) > DESCRIPTION_BYTES_MAX:
        raise NotBootstrapped("usage", f"{path} has {len(data):,} bytes; describe it in {DESCRIPTION_BYTES_MAX:,}")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise NotBootstrapped("usage", f"{path} is no UTF-8 text (byte {error.start})") from error
    if not text.strip() or "\0" in text:
        raise NotBootstrapped("usage", f"{path} describes nothing; write what shall be built, in a few sentences")
    return text


def _room(wanted: Wanted) -> None:
    """Documents of an earlier bootstrap are replaced only when that was asked for, links never followed."""
    there = [path for path in wanted.paths if (wanted.root / path).exists() or (wanted.root / path).is_symlink()]
    odd = [path for path in there if (wanted.root / path).is_symlink() or not (wanted.root / path).is_file()]
    if odd:
        raise NotBootstrapped("usage", f"{odd[0]} is no regular file; move it away, or choose another --name")
    if there and not wanted.update:
        raise NotBootstrapped("usage", f"{there[0]} exists; --update brings it up to date, --name writes beside it")


def _stub(wanted: Wanted) -> Spec:
    """What governs a playbook in that place: catalogue, ruleset, project."""
    spec, problems = _loaded(wanted, STUB)
    if spec is None:
        told = render(problems, {}, "concise", False, 0)
        raise NotBootstrapped("findings", f"the project has errors; mend them first (autopack validate):\n{told}")
    return spec


def _loaded(wanted: Wanted, playbook: bytes) -> tuple[Spec | None, list[Problem]]:
    place = wanted.paths[-1]
    instead = {str(wanted.root / place): playbook}
    return load(str(wanted.root), place, today=wanted.today, instead=instead)


def _model(spec: Spec, name: str | None) -> Model:
    """The one that is named, else the catalogue's first for high complexity: planning is the dearest mistake."""
    chosen = name or spec.models.routing.complexity["high"].builder[0]
    if chosen not in spec.models.models:
        there = ", ".join(sorted(spec.models.models))
        raise NotBootstrapped("usage", f"the catalogue has no model {chosen!r}; it has {there}")
    return spec.models.models[chosen]


def _asked(wanted: Wanted, spec: Spec, description: str) -> bootstrap.Asked:
    prior = {path: wanted.root / path for path in wanted.paths}
    readme = next((name for name in README_NAMES if (wanted.root / name).is_file()), None)
    if readme is not None:
        prior[readme] = wanted.root / readme
    texts = {path: place.read_text("utf-8", "replace") for path, place in prior.items() if place.is_file()}
    listing = _listing((wanted.root / spec.project.repository).resolve(), spec.project.base_branch)
    return bootstrap.Asked(wanted.name, wanted.paths, description, tuple(spec.ruleset.categories), listing, texts)


def _listing(repository: Path, base_branch: str) -> tuple[str, ...]:
    """What the base branch holds; nothing where there is no repository or no commit yet."""
    try:
        with git.open_repository(repository) as opened:
            entries = opened.list_names(opened.resolve(f"refs/heads/{base_branch}"))
    except git.GitError:
        return ()
    return tuple(entry.path for entry in entries if not is_secret_like(entry.path))


# --- one call ---


def _call(
    asking: Asking, model: Model, messages: Messages, number: int, spent: Spent, wanted: Wanted
) -> tuple[Answer, Spent]:
    """One answer and what has been spent by then. Raises NotBootstrapped where it may not or can't be had."""
    price, bound = price_of(model), input_upper_bound(messages)
    room = model.context_tokens - bound
    if room < 1:
        raise NotBootstrapped(
            "budget",
            f"the request can take {bound:,} tokens, {model.name} takes {model.context_tokens:,}; shorten the "
            "description, or name a --model with a larger window",
        )
    output = min(model.max_output_tokens, room)
    most = upper_bound(bound, output, price)
    if spent.cost_usd + most > wanted.cost_usd_max:
        raise NotBootstrapped(
            "budget",
            f"the next call can cost {most:,f} USD, {spent.cost_usd:,f} of {wanted.cost_usd_max:,f} are spent; "
            "raise --cost-usd-max, or name a cheaper --model [AP6103]",
        )
    if model.token_cap is not None and spent.tokens + bound + output > model.token_cap:
        raise NotBootstrapped("budget", f"the next call would pass the token_cap of {model.name} in the catalogue")
    answer = _answered(asking, _request(model, messages, output, number))
    billed = answer.usage if answer.usage.known else replace(_all(answer.usage, bound, output), known=True)
    spent = Spent(spent.calls + 1, spent.tokens + billed.total, spent.cost_usd + cost(billed, price))
    if answer.outcome in ("auth", "not_found", *PASSING):
        raise NotBootstrapped("environment", f"{model.name} can't be asked: {answer.message}")
    return answer, spent


def _answered(asking: Asking, request: Request) -> Answer:
    """Trouble that passes is waited out, as often and as long as the ruleset says; it is no try."""
    wait_s = asking.retry.backoff_s
    for _ in range(asking.retry.attempts):
        answer = asking.client.complete(request)
        if answer.outcome not in PASSING:
            return answer
        pause_s = min(max(wait_s, answer.retry_after_s or 0.0), asking.retry.backoff_s_max)
        asking.say(f"PLAN_BOOTSTRAP: {answer.outcome}, again in {pause_s:g} s ({answer.message})")
        time.sleep(pause_s)
        wait_s *= 2
    return asking.client.complete(request)


def _request(model: Model, messages: Messages, output: int, number: int) -> Request:
    return Request(
        model=model.name,
        litellm=model.litellm,
        api_base=model.api_base,
        api_key_env=model.api_key_env,
        messages=messages,
        max_output_tokens=output,
        timeout_s=float(model.timeout_s),
        params=tuple(sorted(model.params.items())),
        phase="PLAN_BOOTSTRAP",
        role="builder",
        call=number,
    )


def _all(usage: Usage, bound: int, output: int) -> Usage:
    """A bill that nobody sent is the upper bound."""
    return replace(usage, input=bound, output=output)


# --- what came of it ---


def _judged(wanted: Wanted, files: Mapping[str, str]) -> list[Problem]:
    """Everything the validator and the compiler find in the playbook."""
    spec, problems = _loaded(wanted, files[wanted.paths[-1]].encode())
    if spec is None:
        return problems
    return [*problems, *compile_spec(spec)[1]]


def _told(wanted: Wanted, files: Mapping[str, str], problems: list[Problem]) -> str:
    """The errors as text for the next try; empty when there are none."""
    errors = [found for found in problems if found.severity == "error"]
    return render(errors, {wanted.paths[-1]: files[wanted.paths[-1]]}, "full", False, 1) if errors else ""


def _write(root: Path, files: Mapping[str, str]) -> None:
    """Each whole or not at all; the playbook last, so that a playbook never stands without its documents."""
    for path, text in files.items():
        try:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            durable.put(root / path, text.encode())
        except OSError as error:
            raise NotBootstrapped("environment", f"can't write {root / path}: {error.strerror}") from error


def _kept(wanted: Wanted, reply: str) -> Path:
    """The last reply is paid for; it is put where runs keep their things."""
    folder = wanted.root / ".autonomous_runs"
    artifacts.prepare(folder)
    place = folder / f"bootstrap-{wanted.name}.md"
    durable.write(place, reply.encode("utf-8", "replace"))
    return place
