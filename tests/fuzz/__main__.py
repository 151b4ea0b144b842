"""The long form, led by coverage: `make fuzz`, or `python -m tests.fuzz --seconds 600`.

A crash, a check of more than ten seconds and more than a gigabyte each stop it with the input in a file. The folder
`.fuzz` keeps what reached something new, so that a later run goes on from there.
"""

import argparse
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["autopack", "yaml", "jinja2"]):
    from tests.fuzz.targets import fills_in, validates
from tests.fuzz.test_fuzz import PARTS, SEEDS, WORDS

KEPT = Path(".fuzz")


def one(data: bytes) -> None:
    """The last byte says which of the two."""
    if data[-1:] and data[-1] % 3 == 0:
        fills_in(data[:-1].decode("utf-8", "replace"))
    else:
        validates(data[:-1])


def main() -> None:
    asked = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    asked.add_argument("--seconds", type=int, default=180)
    seconds = asked.parse_args().seconds
    (KEPT / "inputs").mkdir(parents=True, exist_ok=True)
    for number, text in enumerate((*SEEDS, "{{ inputs.service | upper }}")):
        (KEPT / "inputs" / f"seed-{number}").write_bytes(text.encode() + (b"\1" if number < len(SEEDS) else b"\3"))
    words = KEPT / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in (*WORDS, *PARTS)), encoding="ascii")
    limits = ["-timeout=10", "-rss_limit_mb=1024", "-max_len=8192", f"-max_total_time={seconds}"]
    report = [f"-dict={words}", f"-artifact_prefix={KEPT}/", "-print_final_stats=1", str(KEPT / "inputs")]
    atheris.Setup([sys.argv[0], *limits, *report], one)
    atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


if __name__ == "__main__":
    main()
