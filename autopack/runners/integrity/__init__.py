"""Whether a patch makes the tests say less: tests removed, skipped or weakened, and settings that decide what runs.

Adding a test or changing what one checks is no finding, only checking less is. What a rewritten assertion is worth can
only be guessed at here; that is why the base commit's tests run on the patched code as well.
"""

from collections.abc import Collection, Iterator, Sequence

from autopack.runners.integrity.compared import fewer_checks
from autopack.runners.integrity.counted import counted
from autopack.runners.integrity.names import is_collected, is_test, is_test_data, still_run
from autopack.runners.integrity.settings import settings
from autopack.runners.integrity.skips import new_skips
from autopack.runners.integrity.weakening import Weakening
from autopack.runners.touched import Touched

__all__ = ["Weakening", "is_collected", "is_test", "is_test_data", "weakenings"]


def weakenings(
    files: Sequence[Touched], ci_files: Sequence[str], left_out: Collection[str] = ()
) -> Iterator[Weakening]:
    """`ci_files` are the CI profile's own, `left_out` the marks by which it leaves tests out.

    A test that moved to another touched file is still there, if it is run.
    """
    tests = [file for file in files if any(map(is_test, file.names))]
    python = [file for file in tests if file.suffix == ".py"]
    for file in files:
        yield from settings(file, ci_files)
        if file in tests and file not in python:
            yield from _of_another_language(file)
        elif file not in tests and file.after is None and is_test_data(file.path):
            yield Weakening(file.path, 0, "a file that tests may read is removed")
    yield from fewer_checks(python)
    yield from new_skips(python, left_out)


def _of_another_language(file: Touched) -> Iterator[Weakening]:
    if file.after is None:
        yield Weakening(file.path, 0, "the test file is removed")
    elif not still_run(file.names[0], file.path):
        yield Weakening(file.path, 0, f"the test file {file.names[0]} gets a name that no test runner looks for")
    else:
        yield from counted(file)
