"""Each edit format a model may be given has instructions, and their example is what the reply's reader takes."""

import re
from pathlib import Path

import pytest

from autopack.plan import prompt
from autopack.plan.compiler import compile as compile_spec
from autopack.plan.routing import OTHER
from autopack.runners.reply import Reply, parse_builder
from autopack.spec import schema, shipped
from autopack.spec.load import load

FORMATS = schema.schema("models")["$defs"]["model"]["properties"]["edit_format"]["enum"]
REPLAY = Path(shipped.folder("rulesets"), "models", "replay.yaml")
PLAYBOOK = """\
autopack: playbook/v1
name: p
tiers: [{id: T1, phases: [{id: a, goal: Do it., category: docs, scope: {write: [docs/**]}}]}]
"""


@pytest.mark.parametrize("form", FORMATS)
def test_a_model_may_be_asked_in_every_format_of_the_schema(form: str, tmp_path: Path) -> None:
    catalogue = re.sub(r"edit_format: \w+", "", REPLAY.read_text(encoding="utf-8"))
    catalogue = re.sub(r"^( +)(tier: .*)$", rf"\1\2\n\1edit_format: {form}", catalogue, flags=re.MULTILINE)
    (tmp_path / "models.yaml").write_text(catalogue, encoding="utf-8")
    (tmp_path / "autopack.yaml").write_text("autopack: project/v1\nname: shop\nmodels: models.yaml\n", encoding="utf-8")
    (tmp_path / "p.yaml").write_text(PLAYBOOK, encoding="utf-8")
    spec, problems = load(str(tmp_path), "p.yaml")
    assert (spec is not None, problems) == (True, [])
    assert spec is not None
    plan, _ = compile_spec(spec)
    assert plan is not None
    assert plan.phases[0].attempts[0].edit_format == form
    assert form in plan.format_prompts
    assert OTHER[form] in plan.format_prompts


@pytest.mark.parametrize(
    ("form", "edits"),
    [
        ("unified_diff", [("path/to/file.py", "replace")]),
        (
            "apply_patch",
            [("path/to/file.py", "replace"), ("path/to/new.py", "create"), ("path/to/old.py", "delete")],
        ),
    ],
)
def test_the_example_in_the_instructions_is_a_reply_that_can_be_read(form: str, edits: list[tuple[str, str]]) -> None:
    text = prompt.FORMATS[form].partition("\nEnd with one facts block")[0]  # type: ignore[index]
    example = re.search(r"```diff\n.*?```|\*\*\* Begin Patch.*?\*\*\* End Patch", text, re.DOTALL)
    assert example
    reply = parse_builder(f"{example[0]}\n\n```autopack\nsummary: done\nissues: []\n```\n", "stop")
    assert isinstance(reply, Reply), reply
    assert [(edit.path, edit.op) for edit in reply.edits] == edits
