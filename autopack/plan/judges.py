"""The files by which a phase is judged: what its CI profile's and probes' commands name, told from the words alone.

Who may rewrite the script that judges it, judges itself. Such a file is protected like CI's own settings where it is
there already; what a phase is to deliver it may write. Tests that a runner collects have rules of their own.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from posixpath import basename, normpath

from autopack.plan.model import Argv, Plan
from autopack.spec.paths import matches

_READ_UNASKED = {
    "make": ("GNUmakefile", "makefile", "Makefile"),
    "gmake": ("GNUmakefile", "makefile", "Makefile"),
    "just": ("justfile", "Justfile", ".justfile"),
    "task": ("Taskfile.yml", "Taskfile.yaml", "taskfile.yml"),
    "rake": ("Rakefile", "rakefile"),
    "pre-commit": (".pre-commit-config.yaml",),
}
_A_FILE = re.compile(r"(?:[^\s*?{}$]*/)?[\w.-]+\.(?:py|sh|bash|js|mjs|cjs|ts|rb|pl|php|lua|toml|ini|cfg|ya?ml|json|mk)")
_MODULE = re.compile(r"[A-Za-z_][\w.]*")
_PYTHON = re.compile(r"(?:.*/)?python[\d.]*")


def named(argv: Argv) -> Iterator[str]:
    """Every path that a command may mean; most of them are none."""
    paths = [normpath(part) for part in _parts(argv)]
    yield from paths
    for path in paths:
        for name in _READ_UNASKED.get(basename(path), ()):
            yield from (normpath(f"{folder}/{name}") for folder in (".", *paths))
    if len(argv) > 2 and _PYTHON.fullmatch(argv[0]):
        yield from _run_as_module(argv)


def unasked(argv: Argv) -> Iterator[str]:
    """Of these what counts where there is no such file yet: make prefers some names to others."""
    tools = {basename(word) for word in argv}
    unasked = {name for tool in tools for name in _READ_UNASKED.get(tool, ())}
    return (path for path in named(argv) if basename(path) in unasked)


_MANIFESTS = (
    *("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "requirements-dev.txt", "requirements/test.txt"),
    *("package.json", "package-lock.json", "go.mod", "Cargo.toml", "Gemfile", "pom.xml", "build.gradle", "Makefile"),
)


def may_mend_setup(plan: Plan, profile: str) -> bool:
    """Whether a phase may write what a profile's setup reads: a project that begins has nothing to install yet."""
    read = {*_MANIFESTS, *(path for step in plan.profiles[profile].setup for path in named(step.run))}
    scopes = [phase.write for phase in plan.phases if phase.ci == profile]
    return any(matches(path, scope) for scope in scopes for path in read)


def judging(commands: Iterable[Argv], deliverables: Iterable[str]) -> tuple[str, ...]:
    """Those that look like files of the repository and that the phase is not to deliver, for people to read."""
    wanted = tuple(deliverables)
    found = {path for argv in commands for path in _told(argv)}
    return tuple(sorted(path for path in found if not path.startswith("/") and not matches(path, wanted)))


def _told(argv: Argv) -> Iterator[str]:
    yield from (normpath(part) for part in _parts(argv) if _A_FILE.fullmatch(part))
    yield from (_READ_UNASKED[basename(word)][-1] for word in argv if basename(word) in _READ_UNASKED)
    module = next((name for option, name in pairwise(argv) if option == "-m" and _MODULE.fullmatch(name)), "")
    if "." in module and _PYTHON.fullmatch(argv[0]):
        yield module.replace(".", "/") + ".py"


def _parts(argv: Argv) -> Iterator[str]:
    return (part for word in argv for part in re.split(r"[\s=;&|]+", word.partition("::")[0]) if part)


def _run_as_module(argv: Argv) -> Iterator[str]:
    """`python -m tools.check` runs tools/check.py."""
    for option, module in pairwise(argv):
        if option == "-m" and _MODULE.fullmatch(module):
            place = module.replace(".", "/")
            for folder in ("", "src/"):
                yield from (f"{folder}{place}{end}" for end in (".py", "/__main__.py", "/__init__.py"))
            return
