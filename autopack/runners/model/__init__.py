"""One request to a language model in, one typed answer out: the only room that knows LiteLLM.

What it knows: how to make LiteLLM send exactly one HTTP request, within one deadline, quietly; which of its exceptions
means what; how the providers' token counts become ours. What it does not know: retries, backoff, fallbacks, budgets and
prices belong to the machine, so LiteLLM's own are all off.

LiteLLM takes seconds to import, so it is imported by the first call, or by `preload` while git and CI have work.
"""

from autopack.runners.model.answer import NOTHING_BILLED, Answer
from autopack.runners.model.client import LiteLLM, ModelClient
from autopack.runners.model.library import preload
from autopack.runners.model.probing import ProbeResult, probe
from autopack.runners.model.request import RESERVED_PARAMS, Request, input_upper_bound, request_key
from autopack.runners.model.words import encodable

__all__ = [
    "NOTHING_BILLED",
    "RESERVED_PARAMS",
    "Answer",
    "LiteLLM",
    "ModelClient",
    "ProbeResult",
    "Request",
    "encodable",
    "input_upper_bound",
    "preload",
    "probe",
    "request_key",
]
