"""autopack token"""

import json
import time

import click

from autopack.journal import tokens
from autopack.journal.store import open_store
from autopack.views.cli.running import place_here
from autopack.views.exits import OK, USAGE
from autopack.views.external import moment


@click.group("token")
def command() -> None:
    """Say who may use the REST interface, and for what."""


@command.command("create")
@click.option("--scope", required=True, type=click.Choice(tokens.SCOPES), help="Each may do what those before it may.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def create(*, scope: tokens.Scope, as_json: bool) -> int:
    """Make a token and print it, once: the store keeps only its digest."""
    with open_store(place_here().store, create=True) as store:
        secret, made = tokens.create(store, scope, time.time())
    told = {"token": secret, "id": made.token_id, "scope": made.scope}
    click.echo(json.dumps(told) if as_json else secret)
    return OK


@command.command("ls")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(*, as_json: bool) -> int:
    """List the tokens by their ids, oldest first."""
    with open_store(place_here().store, create=True) as store:
        found = [{"id": t.token_id, "scope": t.scope, "created_at": moment(t.created_at)} for t in tokens.every(store)]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for each in found:
            click.echo(f"{each['id']}  {each['scope']:<5}  {each['created_at']}")
    return OK


@command.command("revoke")
@click.argument("token_id", metavar="ID")
def revoke(*, token_id: str) -> int:
    """Make a token worthless, from its next request on."""
    with open_store(place_here().store, create=True) as store:
        if tokens.revoke(store, token_id):
            return OK
    click.echo(f"autopack token revoke: no token has the id {token_id}; see `autopack token ls`", err=True)
    return USAGE
