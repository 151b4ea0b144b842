"""A CI file: profiles that run something, shells, quarantines."""

import re
from collections.abc import Sequence
from itertools import pairwise

from autopack.spec.at import Steps
from autopack.spec.rules.exceptions import expired
from autopack.spec.rules.references import known_profiles
from autopack.spec.rules.scopes import path_at
from autopack.spec.rules.written import Found, Names, Row, Written

_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish"})


def chains(written: Written, _names: Names) -> Found:
    profiles = written.get("profiles") or {}
    for name in profiles:
        chain = chain_of(profiles, name)
        last, place = chain[-1], ("profiles", name)
        if last not in profiles:
            if len(chain) == 2 and not written.twice("profiles"):  # told once, where the unknown name stands
                advice = known_profiles(last, profiles)
                yield written.at((*place, "extends"), "AP3005", f'no CI profile "{last}"', advice)
        elif chain.count(last) > 1:
            if last == name and name == min(chain, key=list(profiles).index):  # once a circle, at its first profile
                message = f"these profiles extend each other in a circle: {' -> '.join(chain)}"
                labels = [
                    written.label(("profiles", each, "extends"), f"{each} extends {after}")
                    for each, after in pairwise(chain[1:])
                ]
                yield written.at((*place, "extends"), "AP3009", message, "let one of them extend nothing", *labels)
        elif chain == [name] and _runs_nothing(profiles[name]):  # who extends it inherits the fault
            yield written.at_key(place, "AP3024", f'the profile "{name}" runs nothing', "give it steps")


def _runs_nothing(profile: Row | None) -> bool:
    return (
        profile is not None
        and not profile.get("steps", ())
        and None not in (profile.get("steps", ()), profile.get("extends", ""))
    )


def chain_of(profiles: Row, name: str) -> list[str]:
    """A profile and those it extends, up to one that is unknown or came before, which then stands there again."""
    chain = [name]
    while (parent := (profiles.get(chain[-1]) or {}).get("extends")) is not None:
        chain.append(parent)
        if parent in chain[:-1]:
            break
    return chain


def shells(written: Written, _names: Names) -> Found:
    lists: list[Steps] = [("setup",), *((*steps, "steps") for steps, _ in written.items("profiles"))]
    for steps, step in (found for place in lists for found in written.items(*place)):
        run = step.get("run")
        if run and None not in run and _is_shell(run):
            message = f'the step "{step.get("id")}" runs a shell'
            yield written.at((*steps, "run", 0), "AP3025", message, "write the words of the command where you can")


def _is_shell(run: Sequence[str]) -> bool:
    return run[0].rpartition("/")[2] in _SHELLS and any(re.fullmatch(r"-[a-z]*c", word) for word in run[1:])


def quarantine(written: Written, names: Names) -> Found:
    for steps, test in written.items("quarantine"):
        yield from expired(written, steps, test, "quarantine", names.today)


def network(written: Written, _names: Names) -> Found:
    """A step without walls can always reach the network, so a file that closes it would promise too much."""
    if written.get("sandbox", "network") is False and written.get("sandbox", "kind") in (None, "none"):
        message = "the network can't be closed without a sandbox"
        yield written.at(("sandbox", "network"), "AP5007", message, "write `kind: bubblewrap`, or `network: true`")


def paths_of_ci(written: Written, _names: Names) -> Found:
    for steps, _ in written.items("profiles"):
        for below, _ in written.items(*steps, "steps"):
            place = (*below, "report", "junit")
            yield from path_at(written, place, written.get(*place))
