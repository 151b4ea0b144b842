"""A folder for marked files, and the shortest way to check one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.spec.marks import Case


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


@pytest.fixture
def expect(case: Case) -> Callable[[str, str], str]:
    """Check one marked file; returns message and help of its first finding."""

    def expected(code: str, marked: str) -> str:
        case.write("it.yaml", marked)
        first = case.expect(code, "it.yaml").problems[0]
        return f"{first.message} | {first.help}"

    return expected
