"""`python -m benchmarks`: every part, or those named with `--only`, as one table.

Each part runs in a process of its own: what one has imported must not weigh on the next one's memory or caches.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import UNMEASURED, Row

HEADER = ("#", "what", "measured", "ratio", "target", "met")


def main() -> int:
    asked = _arguments()
    if asked.rows:
        for row in importlib.import_module(f"benchmarks.{asked.rows}").rows():
            print(json.dumps(row), flush=True)
        return 0
    measured = sorted((row for part in asked.only or parts() for row in _measure(part)), key=_by_number)
    print(table(measured))
    print("", *notes(measured), verdict(measured), sep="\n")
    return 0


def parts() -> list[str]:
    """Modules of this package that measure something; those with a leading underscore only help them."""
    found = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    return [name for name in found if not name.startswith("_")]


def table(rows: Sequence[Row]) -> str:
    lines = [HEADER, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([shown[0], "  ".join("-" * width for width in widths), *shown[1:]])


def notes(rows: Sequence[Row]) -> list[str]:
    """Why there are rows without figures."""
    return [f"{row.number}: {row.measured}" for row in rows if row.measured.startswith(UNMEASURED)]


def verdict(rows: Sequence[Row]) -> str:
    met, missed = (sum(row.met is answer for row in rows) for answer in (True, False))
    unmeasured = len(notes(rows))
    return f"{met} met, {missed} missed, {unmeasured} not measured. Only ratios carry over to other machines."


def _measure(part: str) -> Iterator[Row]:
    print(f"measuring {part} ...", file=sys.stderr, flush=True)
    argv = [sys.executable, "-m", "benchmarks", "--rows", part]
    answer = subprocess.run(argv, check=False, stdout=subprocess.PIPE, text=True)
    for line in answer.stdout.splitlines():
        yield Row(*json.loads(line))
    if answer.returncode:
        yield Row("?", part, f"broke off with exit code {answer.returncode}, see above", None, "runs", met=False)


def _cells(row: Row) -> tuple[str, ...]:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}x"
    met = {True: "yes", False: "NO", None: "-"}[row.met]
    measured = "not measured" if row.measured.startswith(UNMEASURED) else row.measured
    return (row.number, row.what, measured, ratio, row.target, met)


def _by_number(row: Row) -> tuple[int, str]:
    digits = "".join(letter for letter in row.number if letter.isdigit())
    return int(digits or 99), row.number


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", choices=parts(), help="measure this part; may be repeated")
    parser.add_argument("--rows", choices=parts(), help="measure in this process and print one JSON list a row")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
