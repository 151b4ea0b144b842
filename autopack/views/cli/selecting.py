"""`--select`, `--exclude` and `--state`: the same on every verb that takes a part of a plan."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from autopack.plan.model import Plan
from autopack.plan.select import Choice, Named, NoPhase, select, subset
from autopack.spec.selection import Unreadable
from autopack.views.compiled import Compiled, Unusable, frozen
from autopack.views.exits import USAGE

SUFFIXES = (".yaml", ".yml", ".json")  # of a file, not of a revision
F = TypeVar("F", bound=Callable[..., object])

_OPTIONS = (
    click.option(
        "-s", "--select", multiple=True, metavar="WORDS", help="Only these phases: +store, tag:api,risk:high."
    ),
    click.option("--exclude", multiple=True, metavar="WORDS", help="Without these phases."),
    click.option(
        "--state",
        metavar="PLAN|REV",
        help="What state:modified compares with: a frozen plan (JSON), or the playbook at a revision such as main.",
    ),
)


def options(command: F) -> F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def earlier(state: str | None, playbook: str, found: Compiled, inputs: dict[str, str], env: str | None) -> Plan | None:
    """The plan that --state names. Raises Unusable."""
    if state is None:
        return None
    if Path(state).is_file():
        return frozen(state)
    if not state or Path(state).suffix in SUFFIXES or Path(state).exists():
        fact = "this is no file" if Path(state).exists() else "there is no such file"
        raise Unusable(USAGE, f"--state {state}: {fact}; name a frozen plan (JSON) or a revision")
    from autopack.views import compared  # noqa: PLC0415 - git, for revisions only

    return compared.at(state, playbook, found.plan, inputs, env)


def chosen(found: Compiled, words: tuple[str, ...], exclude: tuple[str, ...], state: Plan | None) -> tuple[str, ...]:
    """Ids in the order of the plan. Raises Unusable."""
    named = {} if found.spec is None else found.spec.project.selectors
    known = {name: Named(each.select, each.exclude) for name, each in named.items()}
    choice = Choice(words, exclude, state, known)
    try:
        return select(found.plan, choice)
    except (NoPhase, Unreadable) as error:
        raise Unusable(USAGE, str(error)) from None


def part(found: Compiled, words: tuple[str, ...], exclude: tuple[str, ...], state: Plan | None) -> Plan:
    """The plan with what is selected; the plan itself where nothing is. Raises Unusable."""
    if not words and not exclude:
        return found.plan
    return subset(found.plan, chosen(found, words, exclude, state))
