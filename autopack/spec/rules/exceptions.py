"""What is granted until a day."""

from autopack.spec.at import Steps
from autopack.spec.rules.written import Found, Row, Written


def expired(written: Written, steps: Steps, exception: Row, what: str, today: str) -> Found:
    until = exception.get("until")
    if until is not None and not a_day(until):
        yield written.at((*steps, "until"), "AP2006", f"{until} is no day of the calendar", "write it like 2027-01-31")
    elif until is not None and until < today:
        owner = exception.get("owner") or "its owner"
        advice = f"ask {owner} to renew it, or remove it"
        yield written.at((*steps, "until"), "AP3014", f"this {what} held until {until}", advice)


def a_day(written: str) -> bool:
    """Whether a date of the right form is in the calendar."""
    year, month, day = map(int, written.split("-"))
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return year > 0 and 1 <= month <= 12 and 1 <= day <= days[month - 1]
