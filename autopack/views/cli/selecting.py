"""`--select`, `--exclude` and `--state`: the same on every verb that takes a part of a plan."""

from collections.abc import Callable
from typing import TypeVar

import click

from autopack.plan.model import Plan
from autopack.plan.select import Choice, Named, NoPhase, select, subset
from autopack.spec.selection import Unreadable
from autopack.views.compiled import Compiled, Unusable, frozen
from autopack.views.exits import USAGE

F = TypeVar("F", bound=Callable[..., object])

_OPTIONS = (
    click.option(
        "-s", "--select", multiple=True, metavar="WORDS", help="Only these phases: +store, tag:api,risk:high."
    ),
    click.option("--exclude", multiple=True, metavar="WORDS", help="Without these phases."),
    click.option(
        "--state",
        type=click.Path(exists=True, dir_okay=False),
        help="The earlier plan (JSON) that state:modified compares with.",
    ),
)


def options(command: F) -> F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen(found: Compiled, words: tuple[str, ...], exclude: tuple[str, ...], state: str | None) -> tuple[str, ...]:
    """Ids in the order of the plan. Raises Unusable."""
    named = {} if found.spec is None else found.spec.project.selectors
    known = {name: Named(each.select, each.exclude) for name, each in named.items()}
    choice = Choice(words, exclude, frozen(state) if state else None, known)
    try:
        return select(found.plan, choice)
    except (NoPhase, Unreadable) as error:
        raise Unusable(USAGE, str(error)) from None


def part(found: Compiled, words: tuple[str, ...], exclude: tuple[str, ...], state: str | None) -> Plan:
    """The plan with what is selected; the plan itself where nothing is. Raises Unusable."""
    if not words and not exclude:
        return found.plan
    return subset(found.plan, chosen(found, words, exclude, state))
