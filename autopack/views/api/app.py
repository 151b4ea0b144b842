"""The application, and the server around it. The driver stays a process of its own: both meet in the store."""

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

import autopack
from autopack.journal.store import Store
from autopack.views.api import pages, problems, routes
from autopack.views.api.guard import Bounded


def make(store: Store, clock: Callable[[], float]) -> FastAPI:
    """`clock` gives seconds since 1970; leases end by it."""
    app = FastAPI(title="autopack", version=autopack.__version__, docs_url=None, redoc_url=None)
    app.state.store, app.state.clock = store, clock
    app.include_router(routes.router)
    app.include_router(pages.router)
    app.add_middleware(Bounded)
    problems.attach(app)
    return app


def server(app: FastAPI, host: str, port: int, ready: Callable[[str], None]) -> uvicorn.Server:
    """Its `run` serves until it is told to stop (SIGINT, SIGTERM, `should_exit`). `ready` gets the address once
    requests are answered; port 0: any that is free.
    """
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False, server_header=False)
    return _Server(config, ready)


class _Server(uvicorn.Server):
    """Says where it listens; port 0 is only known then."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
