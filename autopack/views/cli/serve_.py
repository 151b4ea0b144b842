"""autopack serve"""

import importlib.util
import time

import click

from autopack.journal import tokens
from autopack.journal.store import open_store
from autopack.views.cli.running import place_here
from autopack.views.exits import ENVIRONMENT, OK

HOST, PORT = "127.0.0.1", 8_000


def _ready(address: str) -> None:
    click.echo(f"serving {address}", err=True)


@click.command("serve")
@click.option("--host", default=HOST, show_default=True, help="Where to listen; anything else is reached from outside.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65_535), help="0: any that is free.")
def command(*, host: str, port: int) -> int:
    """Serve the REST interface over this project's store. Runs are driven by `autopack run`, beside it.

    Needs the extra `server`: pip install "autopack[server]".
    """
    if importlib.util.find_spec("fastapi") is None or importlib.util.find_spec("uvicorn") is None:
        click.echo('autopack serve: FastAPI is not installed; pip install "autopack[server]"', err=True)
        return ENVIRONMENT
    from autopack.views.api import app  # noqa: PLC0415 - an extra, which may be absent

    with open_store(place_here().store, create=True) as store:
        if not tokens.every(store):
            click.echo("nobody has a token yet; make one with: autopack token create --scope write", err=True)
        try:
            app.server(app.make(store, time.time), host, port, _ready).run()
        except SystemExit as ended:  # how uvicorn says that it could not listen; it has said why
            return ENVIRONMENT if ended.code else OK
    return OK
