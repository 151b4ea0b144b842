"""`autopack plan PLAYBOOK [-o FILE]`, without the command line library, whose import takes as long as the planning.

What else may be asked of `plan` is in `cli/plan_.py`, which shares what is here.
"""

import errno
import sys
from pathlib import Path

from autopack.journal.durable import put
from autopack.journal.errors import JournalError
from autopack.plan import canonical, file
from autopack.views import terminal, text
from autopack.views.compiled import Compiled, Unusable, compiled
from autopack.views.exits import ENVIRONMENT, OK, USAGE

TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO)  # nothing another path on the command line would be the answer to


def run(playbook: str, output: str | None) -> int | None:
    """The exit code; None where a store stands in the way, of which the whole command line knows what to say."""
    try:
        found = compiled(playbook, {}, None, None)
        frozen = canonical.text(found.plan)
        sha256 = canonical.digest_of(frozen)
        if output is not None:
            write(found, output, file.sealed(frozen, sha256))
    except Unusable as error:
        if str(error):
            print(f"autopack plan: {error}", file=sys.stderr)
        return error.code
    except JournalError:
        return None
    sys.stdout.write(text.plan_screen(found.plan, sha256, terminal.columns(), found.calibration) + "\n")
    return OK


def write(found: Compiled, output: str, frozen: str) -> None:
    """Raises Unusable, also where the plan would take the place of what it was compiled from."""
    path = Path(output)
    try:
        if found.spec and any(_same(Path(found.spec.root) / source, path) for source in found.spec.documents):
            raise Unusable(USAGE, f"{output} is a source of this plan; name another file with -o")
        put(path, frozen.encode())
    except (FileNotFoundError, NotADirectoryError):
        fact = f"there is no folder {path.resolve().parent} to write {path.name} into"
        raise Unusable(USAGE, f"{fact}; make it, or name another file with -o") from None
    except OSError as error:
        code = ENVIRONMENT if error.errno in TROUBLE else USAGE
        raise Unusable(code, f"can't write {output}: {error.strerror}; name another file with -o") from None


def _same(source: Path, path: Path) -> bool:
    return source.exists() and path.exists() and source.samefile(path)
