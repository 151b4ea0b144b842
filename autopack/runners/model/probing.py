"""Whether a model's address answers and its key is taken, asked before anything is paid."""

import os
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from autopack.runners.model.exchange import HANG_UP_GRACE_S
from autopack.runners.model.words import SET_KEY, shown


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`about_key`: the address may be fine, the key is missing or not taken."""

    ok: bool
    reason: str
    about_key: bool = False


def probe(api_base: str | None, api_key_env: str | None, timeout_s: float) -> ProbeResult:
    """Whether somebody who takes this key answers at `{api_base}/models`; never a billed call.

    A key variable that is not set, no connection, 401 and 403 fail. Anything else passes, also no answer in time: not
    every server lists its models.
    """
    key = os.environ.get(api_key_env, "").strip() if api_key_env else ""
    if api_key_env and not key:
        return ProbeResult(False, f"the environment variable {api_key_env} is not set. {SET_KEY}", about_key=True)
    if api_base is None:
        return ProbeResult(ok=True, reason="no api_base to ask: LiteLLM knows the provider's address")
    where = shown(api_base)
    if urlsplit(api_base).scheme not in ("http", "https"):
        return ProbeResult(ok=False, reason=f"{where} is no http address. Correct api_base in the catalogue.")
    found: list[ProbeResult] = []
    asking = threading.Thread(target=lambda: found.append(_ask(api_base, api_key_env, key, timeout_s)), daemon=True)
    asking.start()
    asking.join(timeout_s + HANG_UP_GRACE_S)
    return found[0] if found else ProbeResult(ok=True, reason=f"{where} is there but slow to list its models")


def _ask(api_base: str, api_key_env: str | None, key: str, timeout_s: float) -> ProbeResult:
    from http.client import HTTPException  # noqa: PLC0415  # why: asked once a run, by one command
    from urllib import request  # noqa: PLC0415
    from urllib.error import HTTPError, URLError  # noqa: PLC0415

    class NoRedirect(request.HTTPRedirectHandler):
        def redirect_request(self, *_args: Any, **_rest: Any) -> None:
            """Another host must not get the key; the redirect itself is an answer."""

    where, url = shown(api_base), f"{api_base.rstrip('/')}/models"
    asked = request.Request(url, headers=_probe_headers(api_base, key))  # noqa: S310  # why: the scheme was checked
    try:
        with request.build_opener(NoRedirect).open(asked, timeout=timeout_s) as reply:
            return ProbeResult(ok=True, reason=f"{where} answered HTTP {reply.status}")
    except HTTPError as error:
        error.close()
        return _probed(error.code, where, api_key_env)
    except URLError as error:
        fact = f"no connection to {where}: {error.reason}"
        return ProbeResult(ok=False, reason=f"{fact}. Start the server or correct api_base.")
    except (OSError, HTTPException) as error:
        return ProbeResult(ok=True, reason=f"{where} is there but did not answer ({type(error).__name__})")


def _probed(status: int, where: str, api_key_env: str | None) -> ProbeResult:
    if status in (401, 403):
        holder = f"the key in {api_key_env}" if api_key_env else "a request without a key (set api_key_env)"
        return ProbeResult(False, f"{where} answered HTTP {status}: it does not take {holder}.", about_key=True)
    return ProbeResult(ok=True, reason=f"{where} answered HTTP {status}")


def _probe_headers(api_base: str, key: str) -> dict[str, str]:
    if not key:
        return {}
    host = urlsplit(api_base).hostname or ""
    if host.endswith("anthropic.com"):
        return {"x-api-key": key, "anthropic-version": "2023-06-01"}
    if host.endswith(".azure.com"):
        return {"api-key": key}
    return {"Authorization": f"Bearer {key}"}
