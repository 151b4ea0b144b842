"""The routes: who may, what is asked, which view answers."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

import autopack
from autopack.journal.store import Store
from autopack.journal.tokens import Token
from autopack.views import external, served
from autopack.views.api import wire
from autopack.views.api.guard import needs
from autopack.views.api.problems import Refused, documented

LEASE_S, LEASE_S_MAX = 600, 86_400
PAGE, PAGE_MAX = 50, 200
UNWELL: dict[int | str, dict[str, Any]] = {503: {"description": "a part is not usable"}}
READING = documented(401, 403, 404, 422, 500, 503)
WRITING = documented(400, 401, 403, 404, 409, 413, 415, 422, 500, 503)

router = APIRouter()
RunId = Annotated[str, Path(pattern=wire.RUN_ID)]
PhaseId = Annotated[str, Path(pattern=wire.PHASE_ID)]
Reader = Annotated[Token, Depends(needs("read"))]
Writer = Annotated[Token, Depends(needs("write"))]
Holder = Annotated[
    str | None,
    Query(pattern=r"^[!-~]{1,100}$", description="Who holds the lease; by default the token stands for its owner."),
]
LeaseSeconds = Annotated[int, Query(ge=1, le=LEASE_S_MAX, description="How long nobody else is offered the phase.")]
Delivery = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,200}$",
        description="A name of your own for this delivery: sent again with the same body, it is answered the same.",
    ),
]


@router.get("/", tags=["Health & status"], summary="What this is")
def root() -> dict[str, str]:
    told = "Governed, resumable, unattended software builds: see /docs"
    return {"service": "autopack", "version": autopack.__version__, "description": told}


@router.get("/health", tags=["Health & status"], summary="Whether runs can be served and driven here", responses=UNWELL)
def health(request: Request, response: Response) -> dict[str, Any]:
    well, found = served.health(_store(request))
    response.status_code = 200 if well else 503
    return found


@router.get("/runs", tags=["Runs"], summary="All runs, oldest first", responses=READING)
def runs(
    request: Request,
    _who: Reader,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE,
) -> dict[str, Any]:
    return served.runs(_store(request), cursor, limit)


@router.get(
    "/runs/{run_id}", tags=["Runs"], summary="A run with its tiers and phases, caps and usage", responses=READING
)
def run(request: Request, _who: Reader, run_id: RunId) -> dict[str, Any]:
    return served.run(_store(request), run_id)


@router.get(
    "/runs/{run_id}/next_phase", tags=["Phases"], summary="What an external builder should do next", responses=READING
)
def next_phase(
    request: Request, who: Writer, run_id: RunId, holder: Holder = None, lease_seconds: LeaseSeconds = LEASE_S
) -> dict[str, Any]:
    """The oldest phase that waits, leased to the one who asks; asking again renews the lease. It takes the scope
    `write`, because it keeps the phase from others.
    """
    return external.next_phase(_store(request), run_id, _holder(who, holder), _now(request), float(lease_seconds))


@router.post(
    "/runs/{run_id}/phases/{phase_id}/builder_result",
    tags=["Phases"],
    summary="Hand in a phase's result",
    responses=WRITING,
)
def builder_result(
    request: Request,
    who: Writer,
    run_id: RunId,
    phase_id: PhaseId,
    body: wire.BuilderResult,
    holder: Holder = None,
    idempotency_key: Delivery = None,
) -> dict[str, Any]:
    """Answers the phase's pending request: the driver takes the patch through the gate, CI and audit like any other."""
    _same(run_id, phase_id, body)
    issues = [issue.model_dump() for issue in body.suggested_issues]
    said = external.Submitted(body.status, issues, body.tokens_used, body.claims(), idempotency_key)
    store, name = _store(request), _holder(who, holder)
    return external.submit(store, run_id, phase_id, name, _now(request), body.patch_content, body.notes, said)


@router.post(
    "/runs/{run_id}/phases/{phase_id}/update_status",
    tags=["Phases"],
    summary="Say how far a builder is",
    responses=WRITING,
)
def update_status(
    request: Request,
    who: Writer,
    run_id: RunId,
    phase_id: PhaseId,
    body: wire.StatusUpdate,
    holder: Holder = None,
    idempotency_key: Delivery = None,
) -> dict[str, Any]:
    """Shown with the run; the last report counts. A phase moves on by results alone, so only EXECUTING is allowed."""
    _same(run_id, phase_id, body)
    if body.state != "EXECUTING":
        words = f"a phase that waits for a builder is EXECUTING; only its result moves it on, no report of {body.state}"
        raise Refused(409, "not_allowed_now", words)
    said = body.model_dump(exclude={"run_id", "phase_id"}) | {"delivery": idempotency_key}
    return external.progress(_store(request), run_id, phase_id, _holder(who, holder), _now(request), said)


def _same(run_id: str, phase_id: str, body: wire.BuilderResult | wire.StatusUpdate) -> None:
    if (body.run_id, body.phase_id) != (run_id, phase_id):
        raise Refused(422, "not_this_phase", "run_id and phase_id of the body are not those of the address")


def _holder(who: Token, named: str | None) -> str:
    return named or f"token-{who.token_id}"


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def _now(request: Request) -> float:
    now: float = request.app.state.clock()
    return now
