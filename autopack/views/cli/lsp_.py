"""autopack lsp"""

import importlib.util
import os
import sys

import click

from autopack.views.exits import ENVIRONMENT, FINDINGS, OK


@click.command("lsp")
@click.option("--stdio", is_flag=True, help="Speak over standard input and output, as is done in any case.")
def command(*, stdio: bool) -> int:  # noqa: ARG001 - editors pass it to every server
    """Serve editors over standard input and output: findings as one types, completion, hover, definitions, rename.

    Needs the extra `lsp`: pip install "autopack[lsp]".
    """
    if importlib.util.find_spec("pygls") is None:
        click.echo('autopack lsp: pygls is not installed; pip install "autopack[lsp]"', err=True)
        return ENVIRONMENT
    from autopack.views.lsp import server  # noqa: PLC0415 - an extra, which may be absent

    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as wire:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing that is printed may get between two messages
        made = server.make()
        made.start_io(stdout=wire)
    return OK if made.asked_to_end else FINDINGS  # as the protocol wants it: editors tell a crash by it
