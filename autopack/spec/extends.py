"""One policy out of several files: `extends` of rulesets, by the merge rule each field has in its schema (`x-merge`).

`replace`: the nearer file wins. `by_key`: mappings are joined key by key. `append`: items are added at the end.
Nothing is lost about where a value was written: every value of the result has its origin, and what it took the place
of is remembered with it.
"""

from collections.abc import Sequence

from autopack.problem.typed import Any, NamedTuple
from autopack.spec import schema
from autopack.spec.at import At, Steps
from autopack.spec.gate import Node


class Merged(NamedTuple):
    value: dict[str, Any]
    origins: dict[Steps, At]
    outvoted: dict[Steps, list[tuple[At, Any]]]  # what farther files said in the same place, the farthest first


def merged(chain: Sequence[tuple[str, dict[str, Any]]]) -> Merged:
    """The paths and values of rulesets, the farthest first, as one."""
    result = Merged({}, {}, {})
    root = schema.bare("ruleset")
    for path, value in chain:
        _join(result, {**root, "x-merge": "by_key"}, result.value, value, At(path), ())
    return result


def _join(result: Merged, node: Node, base: dict[str, Any], over: dict[str, Any], at: At, steps: Steps) -> None:
    root = schema.bare("ruleset")
    for key, item in over.items():
        below = schema.resolved(root, schema.below(node, key))
        rule, place, there = below.get("x-merge", "replace"), (*steps, key), base.get(key)
        if rule == "by_key" and isinstance(item, dict):
            base[key] = dict(there or {})
            result.origins.setdefault(place, at.to(key))
            _join(result, below, base[key], item, at.to(key), place)
        elif rule == "append" and there and isinstance(item, list):
            for index, each in enumerate(item):
                _mark(result, each, at.to(key, index), (*place, len(there) + index))
            base[key] = [*there, *item]
        else:
            if isinstance(there, dict | list):  # only these have origins of their own below
                _forget(result, place)
            elif place in result.origins:
                result.outvoted.setdefault(place, []).append((result.origins[place], there))
            _mark(result, item, at.to(key), place)
            base[key] = item


def _mark(result: Merged, value: Any, at: At, steps: Steps) -> None:
    result.origins[steps] = at
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        _mark(result, item, at.to(key), (*steps, key))


def _forget(result: Merged, steps: Steps) -> None:
    for place in [place for place in result.origins if place[: len(steps)] == steps]:
        del result.origins[place]
