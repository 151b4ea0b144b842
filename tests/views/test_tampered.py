"""A frozen plan is what its digest says, or nothing reads it any further: no run, no store, no branch comes of it."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autopack.plan import file
from autopack.plan.facets import FACETS
from autopack.plan.file import BYTES_MAX
from autopack.plan.model import digest, load
from tests.views.command import run, within
from tests.views.test_ls import shop

__all__ = ["shop"]  # the fixture

CHANGED = "it was changed after it was written"
READERS = (
    ("run", "plan.json", "--run-id", "one"),
    ("run", "plan.json", "--dry-run"),
    ("plan", "plan.json"),
    ("ls", "plan.json"),
    ("graph", "plan.json"),
    ("diff", "plan.json", "p.yaml"),
    ("diff", "p.yaml", "plan.json"),
    ("ls", "p.yaml", "--state", "plan.json", "-s", "state:modified"),
)


@pytest.fixture
def frozen(shop: Path) -> Path:
    assert within(shop, "plan", "p.yaml", "-o", "plan.json")[0] == 0
    return shop


def plan_of(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "plan.json").read_text())
    return told


def test_a_plan_on_file_ends_with_the_digest_that_is_printed(frozen: Path) -> None:
    text = (frozen / "plan.json").read_text()
    plan = file.load(text)
    assert text == file.dump(plan)
    assert text.endswith(f',"sha256":"{digest(plan)}"}}\n')
    assert f"Plan sha256 {digest(plan)}" in within(frozen, "plan", "plan.json")[1]
    rest = plan_of(frozen)
    del rest["sha256"]
    assert digest(load(json.dumps(rest))) == digest(plan)


def test_how_it_is_laid_out_and_in_which_order_is_nobodys_change(frozen: Path) -> None:
    told = plan_of(frozen)
    (frozen / "plan.json").write_text(json.dumps(dict(reversed(told.items())), indent=2))
    assert within(frozen, "plan", "plan.json")[0] == 0


FACETS_CHANGED: dict[str, Callable[[dict[str, Any]], None]] = {
    "prompt": lambda plan: plan["phases"][0].update(builder_prompt="Do as you like."),
    "inputs": lambda plan: plan["phases"][0].update(goal="something else"),
    "model": lambda plan: next(iter(plan["models"].values())).update(timeout_s=9),
    "price": lambda plan: next(iter(plan["models"].values()))["price"].update(output="0"),
    "policy": lambda plan: plan["phases"][0].update(write=["**"]),
    "ci": lambda plan: next(iter(plan["profiles"].values())).update(retries=7),
    "base": lambda plan: plan.update(base_branch="release/1"),
}


@pytest.mark.parametrize("facet", FACETS)
def test_a_change_of_any_facet_is_seen_and_nothing_comes_of_it(frozen: Path, facet: str) -> None:
    told = plan_of(frozen)
    FACETS_CHANGED[facet](told)
    (frozen / "plan.json").write_text(json.dumps(told))
    refused_everywhere(frozen, CHANGED)


FORGED: dict[str, Callable[[dict[str, Any]], None]] = {
    "'../evil' can't be an id": lambda plan: plan["phases"][0].update(phase_id="../evil"),
    "'../../evil' can't be an id": lambda plan: plan["tiers"][0].update(tier_id="../../evil"),
    "'' can't be an id": lambda plan: plan["tiers"][0].update(tier_id=""),
    "'a..b' can't be an id": lambda plan: plan["phases"][0].update(phase_id="a..b"),
    "two have one id": lambda plan: plan["phases"].append(plan["phases"][0]),
    "'nope' is nowhere in the plan": lambda plan: plan["phases"][0].update(needs=["nope"]),
    "which comes after it": lambda plan: plan["phases"].reverse(),
    "'T9' is nowhere in the plan": lambda plan: plan["phases"][0].update(tier_id="T9"),
    "'gone' is nowhere in the plan": lambda plan: plan["tiers"][0]["phases"].append("gone"),
    "how many phases run at once is missing": lambda plan: plan["pools"].clear(),
}


@pytest.mark.parametrize("said", FORGED)
def test_a_plan_that_was_sealed_anew_still_has_to_fit_together(frozen: Path, said: str) -> None:
    """Its ids become names of files and refs."""
    told = plan_of(frozen)
    del told["sha256"]
    FORGED[said](told)
    (frozen / "plan.json").write_text(file.dump(load(json.dumps(told))))
    refused_everywhere(frozen, said)


def leaves(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*place, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from leaves(item, (*place, number))
    else:
        yield place


def test_no_value_of_a_plan_can_be_changed_unseen(frozen: Path) -> None:
    told = plan_of(frozen)
    for place in leaves(told):
        inner = told
        for step in place[:-1]:
            inner = inner[step]  # type: ignore[index]
        was = inner[place[-1]]  # type: ignore[index]
        inner[place[-1]] = other(was)  # type: ignore[index]
        with pytest.raises(file.canonical.NotThisShape):
            file.load(json.dumps(told))
        inner[place[-1]] = was  # type: ignore[index]
    file.load(json.dumps(told))


def other(value: Any) -> Any:
    """Another value of the same type; anything where there was none."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    return f"{value}1" if isinstance(value, str) else "1"


def without(key: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        told = json.loads(text)
        del told[key]
        return json.dumps(told)

    return change


def updated(**keys: Any) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | keys)


@pytest.mark.parametrize(
    ("damage", "fact"),
    [
        (without("sha256"), "sha256: is not there"),
        (updated(sha256="0" * 64), "sha256: says 000000000000, and the plan has "),
        (updated(sha256=7), "sha256: says 7, and the plan has "),
        (updated(sha256=None), "sha256: is not there"),
        (lambda text: text[: len(text) // 2], "not JSON: line 1"),
        (lambda text: text[:-3], "not JSON: line 1"),
        (lambda text: text.replace('"index":1,', '"index":2,').replace('"index":2,', '"index":1,', 1), CHANGED),
        (updated(note="mine"), "unknown ['note']"),
        (without("caps"), "missing ['caps']"),
        (lambda text: text[:-2] + ',"stage":"baseline"}', "stage: written more than once"),
        (updated(format_version=2), "format_version: 2 where 1 belongs"),
        (updated(format_version=True), "format_version: True where 1 belongs"),
        (lambda text: text.replace("goal", "go\0al", 1), "not JSON"),
        (lambda _: "\0" * 64, "not JSON"),
        (lambda _: "", "not JSON"),
        (lambda _: "[]", "list where an object belongs"),
        (lambda _: "[" * 200_000, "not readable"),
        (lambda _: '{"format_version": 1' + "0" * 5_000 + "}", "not readable"),
        (lambda text: "\ufeff" + text, "not JSON"),
    ],
)  # fmt: skip
def test_a_damaged_plan_is_refused_with_what_is_wrong_before_anything_happens(
    frozen: Path, damage: Callable[[str], str], fact: str
) -> None:
    damaged = damage((frozen / "plan.json").read_text())
    (frozen / "plan.json").write_text(damaged, encoding="utf-8")
    refused_everywhere(frozen, fact)


def test_bytes_that_are_no_text_are_refused(frozen: Path) -> None:
    (frozen / "plan.json").write_bytes(b"\xff\xfe{}")
    refused_everywhere(frozen, "can't decode byte 0xff")


def test_a_file_larger_than_any_plan_is_not_read_to_its_end(frozen: Path) -> None:
    os.truncate(frozen / "plan.json", BYTES_MAX + 80_000_000)  # a hole: takes no place on disk
    refused_everywhere(frozen, "more than 128 MB, larger than any plan", readers=READERS[:1])


def test_a_folder_called_like_a_plan_is_refused_in_words(frozen: Path) -> None:
    (frozen / "plan.json").unlink()
    (frozen / "plan.json").mkdir()
    code, _, err = run(frozen, "plan", "plan.json")
    assert (code, err.startswith("autopack plan: plan.json can't be read: Is a directory")) == (2, True)


def refused_everywhere(folder: Path, fact: str, readers: tuple[tuple[str, ...], ...] = READERS) -> None:
    before = sorted(folder.rglob("*"))
    for words in readers:
        code, out, err = within(folder, *words)
        assert (code, out) == (2, ""), words
        assert f"autopack {words[0]}: plan.json is no frozen plan: " in err
        assert fact in err
        assert err.count("plan.json") == 1, err
    assert sorted(folder.rglob("*")) == before


# --- `plan --check`: a committed plan that is not what the sources say is out of date, whoever changed it ---


def test_a_committed_plan_that_was_changed_by_hand_is_out_of_date_and_the_change_is_named(frozen: Path) -> None:
    told = plan_of(frozen)
    told["phases"][0]["write"] = ["**"]
    (frozen / "plan.json").write_text(json.dumps(told))
    code, out, err = within(frozen, "plan", "p.yaml", "--check", "plan.json")
    first, second, third = out.splitlines()[:3]
    assert code == 6
    assert first.startswith("plan.json was changed by hand: sha256: says ")
    assert second == "changed: policy"
    assert "write narrowed" in third
    assert "plan.json is out of date" in err


def test_a_committed_plan_with_another_digest_only_is_out_of_date(frozen: Path) -> None:
    (frozen / "plan.json").write_text(json.dumps(plan_of(frozen) | {"sha256": "0" * 64}))
    code, out, _ = within(frozen, "plan", "p.yaml", "--check", "plan.json")
    assert (code, out.count("\n")) == (6, 1)


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"{}", b"[]", b"\0" * 10])
def test_what_is_no_plan_at_all_can_not_be_checked(frozen: Path, damage: bytes) -> None:
    (frozen / "plan.json").write_bytes(damage)
    code, out, err = within(frozen, "plan", "p.yaml", "--check", "plan.json")
    assert (code, out) == (2, "")
    assert "plan.json is no frozen plan" in err


def test_a_plan_whose_sources_changed_is_out_of_date(frozen: Path) -> None:
    (frozen / "p.yaml").write_text((frozen / "p.yaml").read_text().replace("goal: g", "goal: other", 1))
    assert within(frozen, "plan", "p.yaml", "--check", "plan.json")[0] == 6
