"""The score of the mutation suite: `python -m tests.mutation` (`make mutation`)."""

import sys
import tempfile
from pathlib import Path

from tests.mutation.suite import Score, kinds, score, settle


def main() -> int:
    whole = Score.empty()
    with tempfile.TemporaryDirectory() as folder:
        settle(Path(folder))
        for kind in kinds():
            part = score(Path(folder), kind)
            whole.planted.update(part.planted)
            whole.missed.extend(part.missed)
    for _, fault in whole.missed:
        print(fault)
    print(whole.table())
    return 1 if whole.missed else 0


if __name__ == "__main__":
    sys.exit(main())
