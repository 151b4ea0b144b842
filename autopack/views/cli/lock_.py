"""autopack lock"""

from pathlib import Path

import click

from autopack.journal import durable
from autopack.problem.report import render
from autopack.runners.git import Fetched, GitError, fetch_file
from autopack.spec import load, lock
from autopack.spec.files import cached
from autopack.views.compiled import PROJECT_FILE, project_root
from autopack.views.exits import ENVIRONMENT, FINDINGS, STALE, USAGE

Pins = dict[str, lock.Pin]


@click.command("lock")
@click.option("--update", is_flag=True, help="Pin what branches and tags mean today, instead of what they meant.")
def command(*, update: bool) -> int:
    """Write autopack.lock for the remote modules of this project, and fetch what it pins.

    A module that is pinned already stays at its commit; one that is used no more loses its pin.
    """
    root = project_root(Path.cwd())
    if not (root / PROJECT_FILE).is_file():
        click.echo(f"autopack lock: no {PROJECT_FILE} here; remote modules are pinned for a project", err=True)
        return USAGE
    try:
        held = {} if update else _held(root / lock.LOCK)
        used = _pinned(root, held)
    except lock.Unreadable as error:
        click.echo(f"autopack lock: {lock.LOCK} {error}", err=True)
        return STALE
    except Changed as error:
        click.echo(f"autopack lock: {error}", err=True)
        return STALE
    except GitError as error:
        click.echo(f"autopack lock: {error}", err=True)
        return ENVIRONMENT
    for name, pin in used.items():
        click.echo(f"{'kept' if held.get(name) == pin else 'pinned'} {name} at {pin.commit[:12]}")
    for name in sorted(held.keys() - used.keys()):
        click.echo(f"removed {name}")
    return _hindered(root)


class Changed(Exception):
    """A pinned commit doesn't hold what the lock says."""


def _held(place: Path) -> Pins:
    return lock.pins(place.read_bytes()) if place.is_file() else {}


def _pinned(root: Path, known: Pins) -> Pins:
    """All that is used, written after each round: only what is at hand shows which further modules it uses."""
    used: Pins = {}
    while True:
        names, _ = load.remotes(str(root))
        fresh = [name for name in names if name not in used]
        for name in fresh:
            used[name] = _fetched(name, known.get(name))
        pins = {name: used[name] for name in names}
        if pins or (root / lock.LOCK).is_file():
            durable.put(root / lock.LOCK, lock.written(pins).encode())
        if not fresh:
            return pins


def _fetched(name: str, pin: lock.Pin | None) -> lock.Pin:
    """What is at hand is not fetched again."""
    if pin is not None and _at_hand(pin):
        return pin
    remote = lock.remote(name)
    fetched = fetch_file(remote.url, pin.commit if pin else remote.ref, remote.path)
    found = lock.Pin(fetched.commit, lock.sha256(fetched.content))
    if pin is not None and pin.sha256 != found.sha256:
        raise Changed(f"{name} holds other content than {lock.LOCK} says; look at it, then pin it with --update")
    _keep(found, fetched)
    return found


def _at_hand(pin: lock.Pin) -> bool:
    place = Path(cached(pin.sha256))
    return place.is_file() and lock.sha256(place.read_bytes()) == pin.sha256


def _keep(pin: lock.Pin, fetched: Fetched) -> None:
    place = Path(cached(pin.sha256))
    place.parent.mkdir(parents=True, exist_ok=True)
    durable.write(place, fetched.content)


def _hindered(root: Path) -> int:
    """What is wrong with the project's files may hide further modules."""
    _, problems = load.remotes(str(root))
    errors = [found for found in problems if found.severity == "error"]
    if errors:
        click.echo(render(errors, {}, "concise", False, 0), err=True)
    return FINDINGS if errors else 0
