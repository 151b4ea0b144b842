"""Categories and CI profiles that are called by name."""

from collections.abc import Collection

from autopack.spec.at import Steps
from autopack.spec.nearest import did_you_mean
from autopack.spec.rules.written import Found, Names, Written, some


def references_of_playbook(written: Written, names: Names) -> Found:
    categories = names.categories()
    known = None if categories is None else frozenset(categories)
    yield from profile_at(written, ("defaults", "ci"), names)
    for steps, phase in written.phases():
        if known is not None and phase.get("category") not in known:
            yield from category_at(written, (*steps, "category"), categories)
        if "ci" in phase:
            yield from profile_at(written, (*steps, "ci"), names)


def category_at(written: Written, steps: Steps, known: Collection[str] | None) -> Found:
    name = written.get(*steps)
    if name is not None and known is not None and name not in known:
        message = f'no category "{name}" in the ruleset'
        yield written.at(steps, "AP5001", message, known_categories(name, known))


def known_categories(name: str, known: Collection[str]) -> str:
    return did_you_mean(name, known) or f"declare it under `categories` of the ruleset, or use one of: {some(known)}"


def profile_at(written: Written, steps: Steps, names: Names) -> Found:
    name = written.get(*steps)
    if name is not None and names.profiles is not None and name not in names.profiles:
        yield written.at(steps, "AP3005", f'no CI profile "{name}"', known_profiles(name, names.profiles))


def known_profiles(name: str, known: Collection[str]) -> str:
    return did_you_mean(name, known) or f"profiles of the CI file: {some(known)}"
