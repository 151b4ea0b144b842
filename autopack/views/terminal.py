"""The terminal, where there is one: how wide it is."""

import shutil
import sys


def columns() -> int | None:
    """Of the terminal that standard output goes to; None for a pipe or a file, where no line is folded."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
