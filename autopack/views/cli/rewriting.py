"""What `fmt` and `migrate` have in common: writing, showing, checking, and how that ends."""

import json
import os
import sys
from collections.abc import Sequence

import click

from autopack.views import rewrite, rewriting
from autopack.views.exits import FINDINGS, OK, USAGE
from autopack.views.rewrite import Change
from autopack.views.rewriting import Rewrite, Rewritten


def rewrite_files(verb: str, paths: tuple[str, ...], make: Rewrite, *, check: bool, diff: bool, as_json: bool) -> int:
    """1: with --check or --diff a file would change, or a file could not be rewritten."""
    if "-" in paths:
        return _stdin(verb, make, paths)
    files, missing = rewriting.rewritten(os.getcwd(), list(paths) or None, make)
    changes = [file.change for file in files if file.change is not None]
    if not (check or diff) and (hindered := unwritten(changes)) is not None:
        click.echo(f"autopack {verb}: {hindered}", err=True)
        return USAGE
    for reason in missing:
        click.echo(f"autopack {verb}: {reason}", err=True)
    if as_json:
        click.echo(json.dumps(_document(files, written=not (check or diff), diff=diff), indent=2))
    else:
        _tell(files, check=check, diff=diff)
    left = missing or any(file.reason for file in files)
    return FINDINGS if left or (changes and (check or diff)) else OK


def unwritten(changes: Sequence[Change]) -> str | None:
    """Writes them all, or says why none was."""
    try:
        rewrite.write(changes)
    except rewrite.Moved as error:
        return f"{error} was changed by somebody else meanwhile; nothing was written, run it again"
    except OSError as error:
        return f"{error.filename} cannot be written: {(error.strerror or str(error)).lower()}"
    return None


def _stdin(verb: str, make: Rewrite, paths: tuple[str, ...]) -> int:
    """A filter, as editors want it: the rewritten text on stdout."""
    if len(paths) > 1:
        raise click.UsageError("standard input goes alone")
    try:
        sys.stdout.buffer.write(rewriting.text("<stdin>", sys.stdin.buffer.read(), make))
    except rewriting.Left as error:
        click.echo(f"autopack {verb}: standard input {error}", err=True)
        return FINDINGS
    return OK


def _tell(files: list[Rewritten], *, check: bool, diff: bool) -> None:
    changes = [file.change for file in files if file.change is not None]
    if diff:
        click.echo(rewrite.diff(changes), nl=False)
    else:
        for change in changes:
            click.echo(f"{'would change' if check else 'changed'} {change.path}")
    for file in files:
        if file.reason:
            click.echo(f"{file.path} {file.reason}", err=True)
    same = sum(file.change is None and file.reason is None for file in files)
    click.echo(
        f"{len(changes)} of {len(files)} files {'to change' if check or diff else 'changed'}, {same} as they should be",
        err=True,
    )


def _document(files: list[Rewritten], *, written: bool, diff: bool) -> dict[str, object]:
    listed = [{"path": each.path, "changed": each.change is not None, "reason": each.reason} for each in files]
    document: dict[str, object] = {"format_version": 1, "written": written, "files": listed}
    if diff:
        document["diff"] = rewrite.diff([each.change for each in files if each.change is not None])
    return document
