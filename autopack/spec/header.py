"""The first key of every file: its kind and version, and one document a file."""

from autopack.problem import Fix
from autopack.problem.typed import Any
from autopack.spec.findings import Findings, lookalike
from autopack.spec.nearest import clear
from autopack.spec.scalars import Value

KINDS = ("project", "playbook", "tier", "phase", "ruleset", "ci", "models", "scenario")
PROJECT = "autopack.yaml"  # at the root of a project, and nowhere else
VERSION = 1  # the only one so far, of every kind
VERSION_SPELT = frozenset({"", "1", "V1", "v1", "1.0", "v1.0"})  # ways in which people mean it
TELLING_KEYS = {
    "tiers": "playbook",
    "phases": "tier",
    "goal": "phase",
    "repository": "project",
    "playbooks": "project",
    "categories": "ruleset",
    "profiles": "ci",
    "routing": "models",
    "models": "models",
    "answers": "scenario",
}


def is_project(path: str) -> bool:
    """Whether a file's name alone makes it the project's."""
    return path.rpartition("/")[2] == PROJECT


def second_document(found: Findings, event: Any, value: Value) -> None:
    label = found.label(*found.places.token(0, value), "the first document starts here")
    start, end = event.start_mark.index, event.end_mark.index
    help_ = "move it to a file of its own, or remove the `---`"
    found.report("AP1004", "a second document in one file", start, max(end, start + 3), (label,), help_)


def header(found: Findings, value: Value) -> str | None:
    """The kind of the file, if its header is good."""
    if not isinstance(value, dict) or "autopack" not in value:
        _no_header(found, value)
        return None
    said = value["autopack"]
    kind, _, version = said.partition("/") if isinstance(said, str) else ("", "", "")
    if kind in KINDS and version == f"v{VERSION}":
        return str(kind)
    place = found.places.token(found.places.children(0, value)["autopack"][1], said)
    if kind not in KINDS:
        near = lookalike(kind, KINDS)
        help_ = f"write `{near}/v{VERSION}`" if near else f"one of: {', '.join(KINDS)}"
        what = f'unknown kind "{kind}"' if kind else "the header names no kind"
        certain = clear(kind, KINDS) if version in VERSION_SPELT else None
        found.report("AP1002", what, *place, help=help_, fix=certain and f"{certain}/v{VERSION}")
        return None
    what = f'unknown version "{version}" of {kind}' if version else f"no version after {kind}"
    fix = f"{kind}/v{VERSION}" if version in VERSION_SPELT else None  # another number may mean other words
    found.report("AP1003", what, *place, help=f"write `{kind}/v{VERSION}`, the only version so far", fix=fix)
    return None


def _no_header(found: Findings, value: Value) -> None:
    place = found.places.token(0, value)
    mapping = value if isinstance(value, dict) else {}
    for name, header in mapping.items():
        if isinstance(header, str) and header.partition("/")[0] in KINDS:
            key = found.places.token(found.places.children(0, value)[name][0], name)
            message = f'no header: the key is "{name}", not "autopack"'
            found.report("AP1001", message, *key, help=f"write `autopack: {header}`", fix="autopack")
            return
    told = [kind for key, kind in TELLING_KEYS.items() if key in mapping]
    if is_project(found.places.path):
        kind, told = "project", ["project"] if mapping else []
    else:
        kind = told[0] if told else "playbook"
    help_ = f"start the file with `autopack: {kind}/v{VERSION}` (kinds: {', '.join(KINDS)})"
    start, end = place
    found.report("AP1001", "no header: the file does not say what it is", start, end, help=help_)
    if told and (start == 0 or found.text[start - 1] == "\n"):
        here = found.places.span(start, start)
        found.problems[-1] = found.problems[-1]._replace(fixes=(Fix(here, f"autopack: {kind}/v{VERSION}\n"),))
