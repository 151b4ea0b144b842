"""From a path on the command line to a frozen plan, with every finding printed on the way."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from autopack.plan import canonical
from autopack.plan.calibration import Calibration
from autopack.plan.compiler import compile as compile_spec
from autopack.plan.file import BYTES_MAX
from autopack.plan.file import load as load_plan
from autopack.plan.model import Plan
from autopack.problem import Problem, order
from autopack.problem.report import render
from autopack.spec.files import shipped_place
from autopack.spec.load import load, project_of
from autopack.spec.model import Spec
from autopack.spec.waivers import waived
from autopack.views.backlogged import known
from autopack.views.cached import today
from autopack.views.exits import FINDINGS, STALE, USAGE

ELSEWHERE = ("builtin:", "git+", "<")  # what names of files begin with that are none of the project
LOCK_CODES = {"AP7002", "AP7003"}
PROJECT_FILE = "autopack.yaml"
BY_THE_COMPILER = ("AP4", "AP6", "AP7")  # layers a check of files leaves to it: here a silent waiver is an unused one


class Unusable(Exception):
    """No plan: the findings are printed already. `code` is the exit code."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message)
        self.code = code


def _from_here(path: Path) -> str:
    """As seen from the folder that the command runs in."""
    return os.path.relpath(path).replace(os.sep, "/")


@dataclass(frozen=True, slots=True)
class Compiled:
    """`spec` is None for a plan that was read from a file: it needs no sources any more."""

    plan: Plan
    spec: Spec | None
    calibration: Calibration | None = None


def project_root(start: Path) -> Path:
    """The nearest folder upwards that holds autopack.yaml; `start` itself where there is none."""
    for folder in (start, *start.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    return start


def compiled(
    path: str,
    inputs: dict[str, str],
    jobs: int | None,
    env: str | None = None,
    *,
    quiet: bool = False,
    called: Callable[[Path], str] = _from_here,
    store_of: Path | None = None,
) -> Compiled:
    """The plan of a playbook, or the plan that a JSON file holds. Raises Unusable.

    `quiet`: findings are told only where they are why there is no plan. `called` names a file in them.
    `store_of` is the project whose store is asked for issues, where the playbook lies in a copy from the past.
    """
    where = Path(path)
    if not where.exists():
        raise Unusable(USAGE, f"there is no {path}; name a playbook (YAML) or a frozen plan (JSON)")
    if where.suffix == ".json":
        return Compiled(frozen(where), None, learned(where.resolve().parent))
    root = project_root(where.resolve().parent)
    relative = os.path.relpath(where.resolve(), root).replace(os.sep, "/")
    spec, problems = load(str(root), relative, inputs, today=today(), env=env)
    plan = calibration = None
    if spec is not None:
        project = spec.project
        backlog, calibration = known(root, project.artifacts.path, project.store, project.name, store_of)
        plan, more = compile_spec(spec, jobs=jobs, backlog=backlog, calibration=calibration)
        problems = waived(spec.documents.values(), [*problems, *more], today(), BY_THE_COMPILER).problems
    if not quiet or plan is None:
        _show(spec, root, problems, called)
    if spec is None or plan is None:
        errors = {found.code for found in problems if found.severity == "error"}
        raise Unusable(STALE if errors <= LOCK_CODES else FINDINGS)
    return Compiled(plan, spec, calibration)


def learned(folder: Path) -> Calibration | None:
    """What runs have taught the project that a folder belongs to; None where that can't be read."""
    root = project_root(folder)
    project = project_of(str(root))
    return None if project is None else known(root, project.artifacts.path, project.store, project.name)[1]


def given_inputs(pairs: tuple[str, ...]) -> dict[str, str]:
    """`--input name=value`, as text; the declared type decides what it becomes."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise Unusable(USAGE, f"--input {pair}: write name=value")
        if name in found:
            raise Unusable(USAGE, f"--input {name} is given twice; give it one value")
        found[name] = value
    return found


def frozen(path: str | Path) -> Plan:
    """The plan that a JSON file holds, if it is as it was written. Raises Unusable."""
    advice = "write one with `autopack plan PLAYBOOK -o FILE`"
    try:
        return load_plan(read(path))
    except (canonical.NotThisShape, UnicodeDecodeError) as error:
        raise Unusable(USAGE, f"{path} is no frozen plan: {error}; {advice}") from None
    except OSError as error:
        raise Unusable(USAGE, f"{path} can't be read: {error.strerror}; {advice}") from None


def read(path: str | Path) -> str:
    """A file that should hold a plan. Raises OSError, UnicodeDecodeError, NotThisShape for one that is no such size."""
    with Path(path).open("rb") as file:
        data = file.read(BYTES_MAX + 1)
    if len(data) > BYTES_MAX:
        raise canonical.NotThisShape("", f"more than {BYTES_MAX // 1_000_000} MB, larger than any plan")
    return data.decode("utf-8")


def _show(spec: Spec | None, root: Path, problems: list[Problem], called: Callable[[Path], str]) -> None:
    """Findings go to stderr here: stdout is the plan's."""
    if not problems:
        return
    sources = {} if spec is None else {path: document.text for path, document in spec.documents.items()}
    for problem in problems:
        for span in (problem.span, *(label.span for label in problem.labels)):
            if span is not None and span.path not in sources:
                sources[span.path] = _text(Path(shipped_place(span.path) or root / span.path))
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    here = {path: path if path.startswith(ELSEWHERE) else called(root / path) for path in sources}
    shown = [_moved(problem, here) for problem in problems]
    texts = {here[path]: text for path, text in sources.items()}
    print(render(order(shown), texts, "full", colour, len(texts)), file=sys.stderr)


def _moved(found: Problem, here: Mapping[str, str]) -> Problem:
    labels = tuple(label._replace(span=label.span._replace(path=here[label.span.path])) for label in found.labels)
    span = found.span and found.span._replace(path=here[found.span.path])
    return found._replace(span=span, labels=labels)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
