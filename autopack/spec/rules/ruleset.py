"""A ruleset: attempts, names of categories, what it refers to."""

import re
from collections.abc import Iterator

from autopack.spec.at import Steps
from autopack.spec.nearest import did_you_mean
from autopack.spec.rules.exceptions import expired
from autopack.spec.rules.references import category_at, known_profiles, profile_at
from autopack.spec.rules.scopes import allowed_paths, path_at
from autopack.spec.rules.written import Found, Names, Row, Written, some

_NAME = r"[A-Za-z][A-Za-z0-9_.-]{0,63}"  # what the schema refuses is not called unknown as well


def _rows(written: Written) -> Iterator[tuple[Steps, Row]]:
    for group in ("category_defaults", "high_risk"):
        if row := written.get(group):
            yield (group,), row
    for group in ("categories", "complexities", "builder_modes"):
        yield from written.items(group)


def auditor_attempts(written: Written, names: Names) -> Found:
    """A number that is written must fit; one that is inherited is clamped by the compiler."""
    for steps, row in _rows(written):
        auditor, builder = row.get("auditor_attempts"), row.get("builder_attempts")
        own = "builder_attempts" in row
        if not own and steps[0] == "categories" and names.ruleset is not None:
            builder = _inherited_attempts(names.ruleset, str(steps[1]))
        if auditor is not None and builder is not None and auditor > max(1, builder - 1):
            message = f"{auditor} attempts of the Auditor beside {builder} of the Builder"
            labels = [written.label((*steps, "builder_attempts"), "the Builder's")] if own else []
            advice = f"write at most {max(1, builder - 1)}"
            yield written.at((*steps, "auditor_attempts"), "AP3013", message, advice, *labels)


def _inherited_attempts(ruleset: Row, category: str) -> int | None:
    """The builder attempts that the rows of a merged ruleset give a category, nearest first."""
    row = ruleset["categories"][category]
    rows = [row, ruleset.get("high_risk") or {}] if row.get("high_risk") else [row]
    complexity = next((each["complexity"] for each in rows if each.get("complexity")), "")
    rows += [(ruleset.get("complexities") or {}).get(complexity) or {}, ruleset.get("category_defaults") or {}]
    return next((each["builder_attempts"] for each in rows if each.get("builder_attempts")), None)


def task_categories(written: Written, names: Names) -> Found:
    """Both names of a category lead to it, so no two categories may share one."""
    rows = (names.ruleset or written.value).get("categories") or {}
    owner: dict[str, str] = {name: name for name in rows}
    for name, row in rows.items():
        task = (row or {}).get("task_category") or name
        place = ("categories", name, "task_category")
        if owner.setdefault(task, name) != name and written.document.has(place):
            message = f'"{task}" already stands for the category "{owner[task]}"'
            yield written.at(place, "AP3001", message, "give it a name of its own")


def references_of_ruleset(written: Written, names: Names) -> Found:
    for steps, _ in _rows(written):
        yield from profile_at(written, (*steps, "ci"), names)
    for steps, _ in written.items("severity_upgrades"):
        yield from category_at(written, (*steps, "match", "category"), names.categories())
    for steps, _ in written.items("landing", "recheck"):
        name = str(steps[-1])
        if names.profiles is not None and name not in names.profiles and re.fullmatch(_NAME, name):
            yield written.at_key(steps, "AP3005", f'no CI profile "{name}"', known_profiles(name, names.profiles))


def grants(written: Written, names: Names) -> Found:
    for steps, grant in written.items("grants"):
        yield from expired(written, steps, grant, "grant", names.today)
        for place, name in written.items(*steps, "phases"):
            if names.phases is not None and name not in names.phases and re.fullmatch(_NAME, name):
                advice = did_you_mean(name, names.phases) or f"ids of phases: {some(names.phases)}"
                yield written.at(place, "AP3033", f'no playbook of the project has a phase "{name}"', advice)


def paths_of_ruleset(written: Written, _names: Names) -> Found:
    for steps, path in written.items("protected_paths"):
        if not path.startswith(".git/"):  # the one folder that is named here because nobody may enter it
            yield from path_at(written, steps, path)
    for steps, _ in written.items("grants"):
        yield from allowed_paths(written, (*steps, "allow"))
