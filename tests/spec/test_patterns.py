"""Patterns of PyYAML that are made late are made all the same, and nobody else's `re.compile` is touched."""

import _thread
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from autopack.spec import shipped
from autopack.spec.patterns import Deferred, Deferring

PACKAGE_ROOT = Path(shipped.__file__).parents[2]
SCRIPT = """
import re
from autopack.spec import parser
assert type(re.compile("a")) is re.Pattern
import yaml
assert type(yaml.reader.Reader.NON_PRINTABLE) is not re.Pattern, "this saves nothing any more"
print(yaml.load("{on: 2027-01-31, of: 0x10, is: 1.5}", yaml.SafeLoader))
"""


def test_pyyaml_reads_as_ever_after_its_patterns_were_put_off() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT], cwd=PACKAGE_ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "{True: datetime.date(2027, 1, 31), 'of': 16, 'is': 1.5}\n"


def test_a_pattern_that_was_put_off_finds_what_it_would_have_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_thread, "_count", lambda: 0)  # whatever runs this test may have threads of its own
    with Deferring():
        words = re.compile("[a-z]+", re.IGNORECASE)
    assert type(words) is Deferred
    assert words.findall("Ab 1 c") == ["Ab", "c"]
    assert words.pattern == "[a-z]+"


def test_nothing_is_put_off_while_another_thread_might_compile_a_pattern() -> None:
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    with Deferring():
        assert type(re.compile("b+")) is re.Pattern
    done.set()
    other.join()
