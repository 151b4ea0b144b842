"""Neither LiteLLM nor what it brings along says a word to the user."""

import warnings

_NOISY = r"(litellm|openai|pydantic|httpx|httpcore|anyio|aiohttp)(\.|\Z)"


def hush_warnings() -> None:
    """pydantic and others warn about providers' replies. Neither an error (under -W error) nor a word to the user."""
    if not any(row[3] is not None and getattr(row[3], "pattern", "") == _NOISY for row in warnings.filters):
        warnings.filterwarnings("ignore", module=_NOISY)
