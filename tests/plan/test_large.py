"""Plans of thousands of phases, against a reading of the rules that a person can check."""

from decimal import Decimal
from random import Random

import pytest

from autopack.plan.compiler import drafted
from autopack.plan.draft import Draft
from tests.plan.folder import Folder

CAP = 25


def large(tiers: int, width: int, chance: Random) -> str:
    """Tiers of so many phases, written in any order, each needing a few of those of its tier that came before."""
    lines = [f"autopack: playbook/v1\nname: p\nbudget: {{phases: {CAP}, tokens: 1_000_000_000}}\ntiers:\n"]
    for tier in range(tiers):
        lines.append(f"  - id: T{tier}\n    phases:\n")
        names = [f"t{tier}p{number}" for number in range(width)]
        rows = []
        for number, name in enumerate(names):
            needs = sorted(chance.sample(names[:number], min(number, chance.randrange(3))))
            category = chance.choice(("docs", "tests", "feature_scaffolding"))
            said = f"id: {name}, category: {category}, needs: [{', '.join(needs)}]"
            rows.append(f"      - {{{said}, goal: g, scope: {{write: [src/{name}.py]}}}}\n")
        chance.shuffle(rows)
        lines += rows
    return "".join(lines)


@pytest.mark.parametrize(("tiers", "width"), [(63, 40), (400, 25)])
def test_order_split_and_proof_of_thousands_of_phases_are_those_of_a_plain_reading(
    folder: Folder, tiers: int, width: int
) -> None:
    folder.file("p.yaml", large(tiers, width, Random(tiers)))
    draft = drafted(folder.spec())
    assert len(draft.phases) == tiers * width
    order_is_that_of_a_plain_reading(draft)
    runs_are_those_of_a_plain_reading(draft)
    for phase in draft.phases:
        assert phase.kind.worst.tokens <= phase["token_cap"]
    told = {found.code: found.message for found in draft.problems}
    assert f"{len(draft.phases)} phases, and a run may have {CAP}" in told["AP6002"]
    cost = sum((phase.kind.worst.cost_usd or Decimal(0) for phase in draft.phases), Decimal(0))
    assert cost > 0
    assert set(told) == {"AP6002"}


def order_is_that_of_a_plain_reading(draft: Draft) -> None:
    """Tiers one after the other; in a tier, again and again the phase written first that has all it needs."""
    expected: list[str] = []
    for tier in draft.spec.playbook.tiers:
        left, done = list(tier.phases), set[str]()
        while left:
            phase = next(each for each in left if done.issuperset(each.needs))
            left.remove(phase)
            done.add(phase.id)
            expected.append(phase.id)
    assert [phase.spec.id for phase in draft.phases] == expected


def runs_are_those_of_a_plain_reading(draft: Draft) -> None:
    """Whole tiers while they fit; a tier that is longer than a run is cut."""
    sizes: list[int] = []
    for tier in draft.spec.playbook.tiers:
        left = len(tier.phases)
        if sizes and sizes[-1] + left <= CAP:
            sizes[-1] += left
            continue
        while left:
            sizes.append(min(left, CAP))
            left -= sizes[-1]
    assert [len(run) for run in draft.runs] == sizes
    assert [name for run in draft.runs for name in run] == [phase.spec.id for phase in draft.phases]
