"""`--json`: one document on standard output and nothing else, with the keys that docs/json.md promises."""

import json
import re
from collections.abc import Iterator
from importlib import import_module

import click
import pytest

from autopack.views.cli import VERBS
from tests.end_to_end.scratch import CHECKOUT, PLAYBOOK, Project, hello, quick_ci

PAGE = (CHECKOUT / "docs" / "json.md").read_text(encoding="utf-8")
ASKED = {
    "validate": (("validate",),),
    "plan": (("plan", PLAYBOOK),),
    "plan --check plan.json": (("plan", PLAYBOOK, "--check", "plan.json"),),
    "plan --forecast": (("plan", PLAYBOOK, "--forecast", "--samples", "2"),),
    "ls": (("ls", PLAYBOOK),),
    "graph": (("graph", PLAYBOOK),),
    "diff": (("diff", "HEAD"),),
    "show": (("show", PLAYBOOK, "greet"),),
    "show --prompt": (("show", PLAYBOOK, "greet", "--prompt"),),
    "explain AP2003": (("explain", "AP2003"),),
    "explain greet.ci": (("explain", "greet.ci"),),
    "rehearse": (("rehearse",),),
    "fmt": (("fmt", "--check"), ("migrate", "--check")),
    "run": (("status", "one"), ("resume", "one"), ("cancel", "one")),
    "run --dry-run": (("run", PLAYBOOK, "--dry-run"),),
    "rerun --dry-run": (("rerun", "one", "--dry-run"), ("rerun", "one")),
    "runs": (("runs",),),
    "token create": (("token", "create", "--scope", "read"),),
    "token ls": (("token", "ls"),),
    "logs": (("logs", "one"),),
    "issues": (("issues", "one"),),
    "backlog": (("backlog",),),
    "report RUN": (("report", "one"),),
    "report --budget": (("report", "--budget"),),
    "report --tiers": (("report", "--tiers"),),
    "verify": (("verify", "one"),),
    "promote": (("promote", "one"),),
    "replay": (("replay", "one"),),
}
ELSEWHERE = {"the same, of several runs": "tests/end_to_end/test_series.py", "rerun": "the summary, as of run"}


def rows() -> Iterator[tuple[str, str]]:
    for line in PAGE.splitlines():
        if line.startswith("| ") and not line.startswith(("| ---", "| command")):
            command, document = (cell.strip() for cell in line.strip("|").split(" | ", 1))
            yield command, document.strip("| ")


def name_of(command: str) -> str:
    return re.sub("`", "", command).split(",")[0] if command.startswith("`") else command


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = hello(tmp_path_factory.mktemp("json"), {"ci.yaml": quick_ci()})
    assert made.autopack("run", PLAYBOOK, "--run-id", "one", "--json").code == 0
    assert made.autopack("plan", PLAYBOOK, "-o", "plan.json").code == 0
    return made


def test_every_document_has_the_keys_that_the_page_names(project: Project):
    for command, document in rows():
        name = name_of(command)
        for words in () if name in ELSEWHERE else ASKED[name]:
            ended = project.autopack(*words, "--json")
            found = json.loads(ended.out)
            first = found[0] if isinstance(found, list) else found
            promised = re.findall(r"`(\w+)`", document.partition(", each with")[0])
            assert set(promised) <= first.keys(), f"{' '.join(words)}: {sorted(set(promised) - first.keys())}"


def test_every_verb_with_the_option_is_on_the_page():
    taking = {verb for verb in VERBS if _takes_json(import_module(f"autopack.views.cli.{verb}_").command)}
    told = {word for command, _ in rows() for word in re.findall(r"`(\w+)", command)}
    assert taking - told == {"bootstrap"}, "it asks a model; tests/end_to_end/test_bootstrap.py reads its document"


def _takes_json(command: click.Command) -> bool:
    return any("--json" in parameter.opts for parameter in command.params)


def test_what_can_not_be_answered_leaves_standard_output_empty(project: Project):
    for words, code in (
        (("plan", "nope.yaml"), 2),
        (("ls", PLAYBOOK, "--select", "nope"), 2),
        (("diff", "nope"), 2),
        (("show", PLAYBOOK, "nope"), 2),
        (("explain", "AP9999"), 2),
        (("status", "nope"), 2),
        (("rerun", "nope"), 2),
        (("plan", PLAYBOOK, "--no-such-option"), 2),
    ):
        ended = project.autopack(*words, "--json")
        assert (ended.code, ended.out, bool(ended.err)) == (code, "", True), words


def test_findings_where_a_plan_was_asked_for_are_no_document(project: Project):
    wrong = project.root / "playbooks" / "wrong.yaml"
    wrong.write_text("autopack: playbook/v1\nname: wrong\ntiers: []\n", encoding="utf-8")
    for verb in ("plan", "ls", "graph"):
        ended = project.autopack(verb, "playbooks/wrong.yaml", "--json")
        assert (ended.code, ended.out, "AP2" in ended.err) == (1, "", True)
    ended = project.autopack("validate", "playbooks/wrong.yaml", "--json")
    wrong.unlink()
    assert (ended.code, ended.json["summary"]["errors"] > 0) == (1, True)
