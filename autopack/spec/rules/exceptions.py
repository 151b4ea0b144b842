"""What is granted until a day."""

from autopack.spec.at import Steps
from autopack.spec.rules.written import Found, Row, Written


def expired(written: Written, steps: Steps, exception: Row, what: str, today: str) -> Found:
    until = exception.get("until")
    if until is not None and until < today:
        owner = exception.get("owner") or "its owner"
        advice = f"ask {owner} to renew it, or remove it"
        yield written.at((*steps, "until"), "AP3014", f"this {what} held until {until}", advice)
