"""What can be wrong with a place, and the one finding that has to follow.

The expected place comes from the writer of the text (emit.py), the expected code from the schema (sites.verdict) or
from REFERENCES; nothing is taken from what the loader says.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from autopack.spec import schema
from tests.mutation.emit import Place, Steps, Written
from tests.mutation.sites import Site, at, chosen, sample, verdict, with_value

Where = Callable[[Written], Place]


class Mutant(NamedTuple):
    """A document with one fault."""

    sort: str
    name: str
    document: dict[str, Any]
    code: str
    where: Where
    says: str | None = None  # what the help has to hold
    label: Where | None = None


class Reference(NamedTuple):
    """A value that names something declared elsewhere."""

    code: str
    at_key: bool = False
    suggests: bool = True  # whether a name that resembles the right one brings it up


# By kind and place. test_suite.py fails for a text in a schema that is neither here nor in FREE.
REFERENCES: dict[str, dict[str, Reference]] = {
    "project": {
        "playbooks[]": Reference("AP3007", suggests=False),
        "ruleset": Reference("AP3007", suggests=False),
        "ci": Reference("AP3007", suggests=False),
        "models": Reference("AP3007", suggests=False),
        **{f"environments.*.{kind}": Reference("AP3007", suggests=False) for kind in ("ruleset", "ci", "models")},
    },
    "playbook": {
        "defaults.ci": Reference("AP3005"),
        "tiers[].needs[]": Reference("AP3002"),
        "tiers[].phases[].needs[]": Reference("AP3002"),
        "tiers[].phases[].category": Reference("AP5001"),
        "tiers[].phases[].ci": Reference("AP3005"),
        "tiers[].uses": Reference("AP3007", suggests=False),
        "tiers[].with.*": Reference("AP3019", at_key=True),
        "tiers[].phases[].uses": Reference("AP3007", suggests=False),
        "tiers[].phases[].with.*": Reference("AP3019", at_key=True),
    },
    "tier": {
        "phases[].needs[]": Reference("AP3002"),
        "phases[].category": Reference("AP5001"),
        "phases[].ci": Reference("AP3005"),
        "phases[].uses": Reference("AP3007", suggests=False),
        "phases[].with.*": Reference("AP3019", at_key=True),
    },
    "phase": {"category": Reference("AP5001"), "ci": Reference("AP3005")},
    "scenario": {
        "playbook": Reference("AP3007", suggests=False),
        "inputs.*": Reference("AP3019", at_key=True),
        "env": Reference("AP3029"),
        "answers.*": Reference("AP3031", at_key=True),
        **{
            f"expect.{key}.*": Reference("AP3031", at_key=True)
            for key in ("phases", "path", "builder_calls", "auditor_calls", "ci_runs")
        },
    },
    "ruleset": {
        "extends": Reference("AP3007", suggests=False),
        **{f"{row}.ci": Reference("AP3005") for row in ("category_defaults", "high_risk", "categories.*")},
        **{f"complexities.{word}.ci": Reference("AP3005") for word in ("low", "medium", "high")},
        **{
            f"builder_modes.{word}.ci": Reference("AP3005")
            for word in ("tweak_light", "scaffolding_heavy", "refactor_heavy", "schema_heavy")
        },
        "severity_upgrades[].match.category": Reference("AP5001"),
        "landing.recheck.*": Reference("AP3005", at_key=True),
    },
    "ci": {"profiles.*.extends": Reference("AP3005")},
    "models": {
        **{
            f"routing.{place}.{who}[]": Reference("AP3006")
            for place in ("complexity.low", "complexity.medium", "complexity.high", "categories.*", "high_risk")
            for who in ("builder", "auditor")
        },
        "routing.categories.*": Reference("AP5001", at_key=True),
        "routing.never_downgrade[]": Reference("AP5001"),
        "providers.*": Reference("AP3026", at_key=True),
    },
}
# Texts whose content no schema and no other file decides; their last name.
FREE = frozenset({
    *("auditor_profile", "task_category", "repository", "store", "base_branch", "integration_branch"),
    *("protected_branches", "default", "enum", "params", "junit", "path", "protected_paths", "api_base"),
    *("run", "set", "probes", "write", "read", "deliverables", "context", "litellm", "failure_reason"),
    *("select", "exclude", "description"),
})  # fmt: skip


def mutants(site: Site) -> Iterator[Mutant]:
    for sort, make in SORTS.items():
        for index, (document, code, where, says, label) in enumerate(make(site)):
            yield Mutant(sort, f"{site.name} #{index}", document, code, where, says, label)


Made = tuple[dict[str, Any], str, Where, str | None, Where | None]


def key_of(steps: Steps) -> Where:
    return lambda written: written.keys[steps]


def value_of(steps: Steps) -> Where:
    return lambda written: written.values[steps]


# --- typos ------------------------------------------------------------------------------------------------


def misspelt(word: str) -> list[str]:
    """A letter twice, two letters in the wrong order, a letter too few, one hit instead of its neighbour."""
    middle = len(word) // 2
    swapped = word[: middle - 1] + word[middle] + word[middle - 1] + word[middle + 1 :]
    forms = [word + word[-1], swapped, word[:middle] + word[middle + 1 :], word[:middle] + "z" + word[middle + 1 :]]
    short = 2 if len(word) < 4 else 4  # what is left of a short word resembles too much, or nothing
    return [form for form in dict.fromkeys(forms[:short]) if form != word]


def typos(site: Site) -> Iterator[Made]:
    if not site.by_name or site.steps == ("autopack",):
        return
    key = str(site.steps[-1])
    declared = {*site.parent.get("properties", {})}
    for wrong in misspelt(key):
        if wrong not in declared and not wrong.startswith("x-"):
            steps = (*site.steps[:-1], wrong)
            yield renamed(site, wrong), "AP2001", key_of(steps), f"did you mean `{key}`?", None


def renamed(site: Site, name: str) -> dict[str, Any]:
    changed = copy.deepcopy(site.document)
    mapping = at(changed, site.steps[:-1])
    pairs = [(name if key == site.steps[-1] else key, value) for key, value in mapping.items()]
    mapping.clear()
    mapping.update(pairs)
    return changed


# --- types, missing keys, values --------------------------------------------------------------------------

OF_EACH_TYPE: tuple[Any, ...] = ("two words", 7, 1.5, True, None, ["word"], {"key": "word"})


def wrong_types(site: Site) -> Iterator[Made]:
    for value in OF_EACH_TYPE:
        code = verdict(site.kind, site.node, value)
        if code is None or code not in ("AP2003", "AP2004", "AP2005") or site.steps == ("autopack",):
            continue
        says = "write `[two, words]`" if code == "AP2004" else None
        types = site.node.get("type", ())
        if code == "AP2003" and "string" in types and type(value) in (int, float, bool):
            says = f'write `"{str(value).lower()}"` if text is meant'
        yield with_value(site.document, site.steps, value), code, value_of(site.steps), says, None


def missing(site: Site) -> Iterator[Made]:
    if not site.required or site.steps == ("autopack",):
        return
    changed = copy.deepcopy(site.document)
    key = site.steps[-1]
    del at(changed, site.steps[:-1])[key]
    yield changed, "AP2002", value_of(site.steps[:-1]), f"add `{key}:`", None


def out_of_range(site: Site) -> Iterator[Made]:
    node, steps = chosen(site.kind, site.node, site.value), site.steps
    for value in _beyond(node):
        code = verdict(site.kind, site.node, value)
        if code in ("AP2006", "AP2007", "AP2008"):
            yield with_value(site.document, steps, value), code, value_of(steps), None, None
    if node.get("uniqueItems") and site.value:
        items = [*site.value, copy.deepcopy(site.value[0])]
        second, first = (*steps, len(items) - 1), (*steps, 0)
        yield with_value(site.document, steps, items), "AP2009", value_of(second), None, value_of(first)
    if not site.by_name and isinstance(steps[-1], str) and "propertyNames" in site.parent:
        wrong = (*steps[:-1], "no name!")
        yield renamed(site, "no name!"), "AP2006", key_of(wrong), None, None


def _beyond(node: dict[str, Any]) -> Iterator[Any]:
    yield from ("", "   ", "no such form!", "-5") if "string" in node.get("type", ()) else ()
    yield from ([], {})
    if "minimum" in node:
        yield node["minimum"] - 1
    if "exclusiveMinimum" in node:
        yield from (node["exclusiveMinimum"], -3)
    if "maximum" in node:
        yield node["maximum"] + 1


def alien_words(site: Site) -> Iterator[Made]:
    node = chosen(site.kind, site.node, site.value)
    words = [word for word in node.get("enum", ()) if isinstance(word, str)]
    if not words:
        return
    for word in words:
        wrong = misspelt(word)[0]
        yield (
            with_value(site.document, site.steps, wrong),
            "AP2005",
            value_of(site.steps),
            f"did you mean `{word}`?",
            None,
        )
    yield with_value(site.document, site.steps, "qqqq"), "AP2005", value_of(site.steps), f"allowed: {words[0]}", None


# --- references and templates -----------------------------------------------------------------------------


def dangling(site: Site) -> Iterator[Made]:
    reference = REFERENCES.get(site.kind, {}).get(site.name)
    if reference is None:
        return
    right = str(site.steps[-1] if reference.at_key else site.value)
    for wrong in (right + right[-1], "qqqq"):
        says = f"did you mean `{right}`?" if reference.suggests and wrong != "qqqq" else None
        if reference.at_key:
            document, where = renamed(site, wrong), key_of((*site.steps[:-1], wrong))
        else:
            document, where = with_value(site.document, site.steps, wrong), value_of(site.steps)
        yield document, "AP3023" if "*" in wrong else reference.code, where, says, None
    if site.kind == "project" and site.name == "playbooks[]":
        document = with_value(site.document, site.steps, "playboks/*.yaml")
        yield document, "AP3023", value_of(site.steps), None, None


def templates(site: Site) -> Iterator[Made]:
    if not site.node.get("x-template"):
        return
    names = [("project.", "nmae", "name"), ("", "projcet", "project")]
    if site.kind in ("playbook", "tier", "phase"):
        names.append(("inputs.", "servcie", "service"))
    for before, wrong, right in names:
        text = f"ä{{{{ {before}{wrong}{'' if before else '.name'} }}}}"
        document = with_value(site.document, site.steps, text)
        yield document, "AP3020", _inside(site.steps, text.index(wrong), len(wrong)), f"did you mean `{right}`?", None
    for text in ("x {{ project.name", "x {% for a in b %}{% endfor %}"):
        code, inside = ("AP3022", (5, 3)) if "for" in text else ("AP3021", (2, 2))
        yield with_value(site.document, site.steps, text), code, _inside(site.steps, *inside), None, None


def _inside(steps: Steps, offset: int, length: int) -> Where:
    """A part of a string in quotes."""

    def where(written: Written) -> Place:
        line, column, _, _ = written.values[steps]
        start = column + 1 + offset
        return line, start, line, start + length

    return where


# --- the header -------------------------------------------------------------------------------------------


def headers(site: Site) -> Iterator[Made]:
    if site.steps != ("autopack",):
        return
    kind = site.kind
    without = {key: value for key, value in site.document.items() if key != "autopack"}
    yield without, "AP1001", value_of(()), "start the file with `autopack: ", None
    yield renamed(site, "autopak"), "AP1001", key_of(("autopak",)), f"write `autopack: {kind}/v1`", None
    for header, code, says in (
        (f"{kind}{kind[-1]}/v1", "AP1002", f"write `{kind}/v1`"),
        ("qqqq/v1", "AP1002", "one of: project, "),
        (f"{kind}/v2", "AP1003", f"write `{kind}/v1`"),
        (kind, "AP1003", f"write `{kind}/v1`"),
        (7, "AP1002", None),
        (None, "AP1002", None),
        ([f"{kind}/v1"], "AP1002", None),
    ):
        yield with_value(site.document, ("autopack",), header), code, value_of(("autopack",)), says, None


SORTS: dict[str, Callable[[Site], Iterator[Made]]] = {
    "typo": typos,
    "wrong type": wrong_types,
    "missing": missing,
    "out of range": out_of_range,
    "alien word": alien_words,
    "dangling": dangling,
    "template": templates,
    "header": headers,
}


def undecided(site: Site) -> bool:
    """A text that may be a reference, and nobody has said whether it is."""
    node = chosen(site.kind, site.node, site.value)
    if not isinstance(site.value, str):
        return False
    bound = any(key in node for key in ("enum", "const", "pattern", "x-template")) or "string" not in node.get(
        "type", ()
    )
    names = [step for step in site.steps if isinstance(step, str)]
    known = site.name in REFERENCES.get(site.kind, {})
    return not (bound or known or FREE & set(names))


def base(kind: str) -> dict[str, Any]:
    """A document of a kind that `world/` has none of, from the schema's own example."""
    value: dict[str, Any] = sample(kind, schema.schema(kind))
    return value
