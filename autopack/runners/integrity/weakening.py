"""One way in which a patch makes the tests say less."""

from typing import NamedTuple


class Weakening(NamedTuple):
    """`about_settings`: what decides which tests run and how, rather than a test."""

    path: str
    line: int
    message: str
    about_settings: bool = False
