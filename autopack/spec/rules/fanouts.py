"""Fan-outs: whether ids come out of them. That each comes out once in the playbook is judged with the other ids."""

from collections.abc import Sequence

from autopack.problem import Label
from autopack.spec import fanout
from autopack.spec.at import Steps
from autopack.spec.rules.ids import Id, branch_ids, own_id
from autopack.spec.rules.written import Found, Names, Row, Written
from autopack.spec.schema import holds_template


def fan_outs(written: Written, names: Names) -> Found:
    """Whether ids come out of them; that each comes out once in the playbook is judged with the other ids."""
    for steps, entry in written.phases():
        if not fanout.fans(entry):
            continue
        if None not in (entry.get("for_each"), entry.get("matrix")):
            label = Label(written.document.key_span((*steps, "for_each")), "the other one")
            message = "a phase fans out over `for_each` or over `matrix`, not over both"
            yield written.at_key((*steps, "matrix"), "AP3028", message, "make `for_each` an axis of the matrix", label)
            continue
        key = "for_each" if entry.get("for_each") is not None else "matrix"
        if (size := fanout.size(entry)) > fanout.BRANCHES_MAX:
            message = f"this fan-out makes {size:,} phases, at most {fanout.BRANCHES_MAX:,} are taken"
            yield written.at_key((*steps, key), "AP3028", message, "split the work otherwise")
            continue
        for axis in fanout.axes(entry):
            yield from _same_slugs(written, steps, axis)
            yield from _templates_in_ids(written, steps, axis)
        found, _ = own_id(steps, entry, names.modules)
        yield from _long_ids(written, steps, entry, found)


def _same_slugs(written: Written, steps: Steps, axis: Sequence[fanout.Value]) -> Found:
    """Equal values are the schema's to tell."""
    first: dict[str, fanout.Value] = {}
    for each in axis:
        before = first.setdefault(each.slug.casefold(), each)
        if before.value != each.value or before.value.__class__ is not each.value.__class__:
            message = f'a second value that becomes "{each.slug}" in an id'
            label = written.label((*steps, *before.place), "first here")
            advice = "ids take letters, digits and `_`; the rest becomes `-`"
            yield written.at((*steps, *each.place), "AP3001", message, advice, label)


def _templates_in_ids(written: Written, steps: Steps, axis: Sequence[fanout.Value]) -> Found:
    for each in axis:
        if isinstance(each.value, str) and holds_template(each.value):
            message = "templates are not filled in here: ids are known before any input is"
            yield written.at((*steps, *each.place), "AP3028", message, "write the values out")


def _long_ids(written: Written, steps: Steps, entry: Row, found: Sequence[Id]) -> Found:
    longest = max((each for each in branch_ids(found, steps, entry)), key=lambda each: len(each.name), default=None)
    if longest is not None and len(longest.name) > fanout.ID_CHARS_MAX:
        message = f'the id "{longest.name}" has {len(longest.name)} characters, at most {fanout.ID_CHARS_MAX} are taken'
        yield written.at(longest.place, "AP3028", message, "use shorter values or a shorter id")
