"""The documentation does what it says: its commands are run, its files checked, its generated pages compared."""

import re
import shlex
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from autopack.plan.compiler import compile as compile_spec
from autopack.problem.report import render
from autopack.runners import reply
from autopack.spec.load import check, load
from autopack.views import cli
from tests.beside import ROOT, of_docs

TODAY = "2026-11-22"
LANGUAGES = {"console", "python", "yaml", "sh", "markdown", "mermaid", "text"}

SHOWN_ONLY = {
    "make demo": "makes an environment of its own; tests of the example run the same script",
    "make test": "is what runs this",
    "pip install .": "needs a network; tests/test_install.py installs the wheel",
    "export OPENAI_API_KEY=...": "sets a variable",
    "autopack init": "run by the guide",
    "autopack validate": "run by the guide",
    "autopack plan playbooks/first.yaml": "parsed here; the guide runs the verb",
    "autopack run playbooks/first.yaml": "would ask a real model; parsed here",
    "autopack plan playbooks/test-backfill.yaml --input package=shop --input module=money": "planned below",
    "python -m tests.end_to_end.kill_sweep": "takes long; its short form is a test",
    "python -m tests.end_to_end.kill_sweep --random 1000": "takes long; its short form is a test",
    "DISK_FULL_EVERY=1 python -m pytest tests/end_to_end/test_disk_full.py": "takes long; its short form is a test",
    "python -m tests.end_to_end.soak --phases 200 --parallel 16": "takes long; its short form is a test",
}
"""Every line of an `sh` block, comments aside, and why it is not run."""


build = of_docs("build")
console = build.console
requirements = build.requirements
PAGES = console.pages()
BLOCKS = [block for page in PAGES for block in console.blocks(page)]


def of(info: str) -> list[object]:
    return [pytest.param(block, id=block.where) for block in BLOCKS if block.info == info]


# --- blocks ---


@pytest.mark.parametrize("page", [p for p in PAGES if "```console" in p.read_text()], ids=lambda p: p.name)
def test_every_command_prints_what_the_page_says(page: Path, tmp_path: Path):
    faults = [
        f"{page.name}:{found.block.line + found.step.line}: $ {found.step.command}\n{found.fault}"
        for found in console.run(page, tmp_path)
        if found.fault
    ]
    assert not faults, "\n\n".join([*faults, "`python docs/build.py --capture` corrects what is printed"])


@pytest.mark.parametrize("block", of("yaml"))
def test_every_file_that_a_page_shows_validates(block, tmp_path: Path):
    """Files of other programs have no `autopack:` header; they have to be YAML."""
    if not block.text.startswith("autopack: "):
        assert yaml.safe_load(block.text)
        return
    kind = block.text.partition("/")[0].removeprefix("autopack: ")
    name = "autopack.yaml" if kind == "project" else f"{kind}s/shown.yaml"
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(block.text)
    if kind == "scenario":  # of the example's playbook
        shutil.copytree(ROOT / "examples" / "hello" / "playbooks", tmp_path / "playbooks")
    found = check(str(tmp_path), [name], today=TODAY)
    assert found.problems == [], _told(found)


@pytest.mark.parametrize("block", of("markdown"))
def test_every_reply_that_a_page_shows_is_understood(block):
    parsed = reply.parse_auditor if "recommendation:" in block.text else reply.parse_builder
    assert not isinstance(parsed(block.text, "stop"), reply.Refusal)


@pytest.mark.parametrize("block", of("sh"))
def test_what_is_only_shown_is_known_and_parses(block):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in block.text.splitlines():
        command = line.partition(" #")[0].strip()
        assert command in SHOWN_ONLY, f"{block.where}: {command}: run it in a console block, or say why not"
        words = shlex.split(command)
        if words[0] == "make":
            assert words[1] in targets
        if words[0] == "autopack":
            _parsed(words[1], words[2:])


def test_no_block_can_opt_out():
    """Each language has a test of its own; `text` is for pictures in words and for what build.py makes."""
    assert {block.info for block in BLOCKS} <= LANGUAGES
    hidden = [b.where for b in BLOCKS if b.info == "text" and re.search(r"^(\$ |autopack: )", b.text, re.MULTILINE)]
    assert hidden == []
    assert [place for page in PAGES for place in _other_code(page)] == []


def _other_code(page: Path) -> list[str]:
    """Code in the two forms that are no fence: indented by four, or as HTML."""
    inside = {n for b in console.blocks(page) for n in range(b.line, b.line + b.text.count("\n"))}
    lines = enumerate(page.read_text().splitlines(), 1)
    return [f"{page.name}:{n}" for n, line in lines if n not in inside and re.match(r" {4}|\t|.*<(?:pre|code)\b", line)]


def test_everything_that_is_only_shown_is_still_shown():
    lines = {line.partition(" #")[0].strip() for b in BLOCKS if b.info == "sh" for line in b.text.splitlines()}
    assert set(SHOWN_ONLY) - lines == set()


# --- how printed text is compared ---


@pytest.mark.parametrize(
    ("documented", "printed"),
    [
        ("run hello-1: DONE, 3s", "run hello-1: DONE, 12s"),
        ("   0s greet: GATE", "   11s greet: GATE"),
        ("commit 6b9c24a23cee", "commit ffffffffffff"),
        ("6b9c24a greet() takes a language", "1234567 greet() takes a language"),
        ("  11 15:54:24 greet", "  11 23:00:00 greet"),
        ("cost ... tokens", "cost 5 tokens"),
        ("first\n...\nlast", "first\nsecond\nthird\nlast"),
        ("first\n...\nlast", "first\nlast"),
        ("no line break at the end", "no line break at the end\n\n"),
    ],
)
def test_what_may_vary(documented: str, printed: str):
    assert console.differs(documented.splitlines(), printed) == ""


@pytest.mark.parametrize(
    ("documented", "printed"),
    [
        ("11,260 tokens", "11,261 tokens"),
        ("  indented", "indented"),
        ("first", "first\nsecond"),
        ("first\nsecond", "first"),
        ("", "printed, and not documented"),
        ("6b9c24a is in the middle", "6b9c24b is in the middle of it"),
    ],
)
def test_what_may_not_vary(documented: str, printed: str):
    assert console.differs(documented.splitlines(), printed) != ""


def test_a_command_that_fails_has_to_be_followed_by_its_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(console, "ROOT", ROOT)
    page = tmp_path / "page.md"
    page.write_text("```console\n$ false\n$ true\n$ false\n$ echo $?\n1\n```\n")
    faults = [found.fault for found in console.run(page, tmp_path / "scratch")]
    assert faults == ["it fails, and no `$ echo $?` after it says so", "", "", ""]


# --- generated pages ---


def test_generated_pages_are_up_to_date():
    done = subprocess.run(
        [sys.executable, "docs/build.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_a_stale_page_is_named_and_exits_with_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    page = ROOT / "docs" / "reference" / "codes.md"
    monkeypatch.setattr(build, "built", lambda: {page: "something else"})
    assert build.main(["--check"]) == 1
    assert capsys.readouterr().out == "out of date: docs/reference/codes.md\n"


def test_the_diagram_holds_every_move_of_the_table():
    page = (ROOT / "docs" / "architecture.md").read_text()
    moves = {(row.at, row.to) for row in build.TABLE if row.at != row.to}
    assert {move for move in moves if f"    {move[0]} --> {move[1]}:" not in page} == set()


def test_tests_name_only_requirements_that_exist():
    assert requirements.unknown(ROOT) == {}


def test_every_requirement_is_shown_by_a_test():
    assert requirements.unshown(ROOT) == []
    assert "| - |" not in (ROOT / "docs" / "requirements.md").read_text()


# --- links ---


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    broken = [link for link in _links(page.read_text()) if not _leads(page, link)]
    assert broken == []


def _links(text: str) -> list[str]:
    prose = re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in link]


def _leads(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(page: Path) -> set[str]:
    """As the usual renderers make them of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- starter playbooks ---

GIVEN = {
    "add-endpoint": {"package": "shop", "resource": "order"},
    "debt-cleanup": {"package": "shop"},
    "dependency-upgrade": {"dependency": "sqlalchemy", "version": "2.0.36", "package": "shop"},
    "docs-refresh": {"examples": "false"},
    "refactor-across-modules": {"package": "shop", "what": "rounding of amounts", "module": "rounding"},
    "schema-migration": {"package": "shop", "table": "orders", "column": "currency", "default": "EUR for all"},
    "security-fix": {"package": "shop", "module": "export", "weakness": "It follows links out of its folder."},
    "test-backfill": {"package": "shop", "module": "money", "cases": "7"},
}


def test_every_starter_playbook_has_a_case_here():
    assert {path.stem for path in (ROOT / "playbooks").glob("*.yaml")} == set(GIVEN)


def test_starter_playbooks_validate():
    found = check(str(ROOT / "playbooks"), ["."], today=TODAY)
    playbooks = [path for path in found.files if "/" not in path]
    assert (found.problems, len(playbooks)) == ([], len(GIVEN)), _told(found)


@pytest.mark.parametrize("ruleset", ["default", "strict", "experimental"])
@pytest.mark.parametrize("models", ["openai", "anthropic", "local"])
@pytest.mark.parametrize("name", sorted(GIVEN))
def test_starter_playbooks_plan_with_the_builtins(name: str, models: str, ruleset: str, tmp_path: Path):
    project = f"autopack: project/v1\nname: shop\nmodels: builtin:{models}\nruleset: builtin:{ruleset}\n"
    (tmp_path / "autopack.yaml").write_text(project)
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "it.yaml").write_text((ROOT / "playbooks" / f"{name}.yaml").read_text())
    spec, problems = load(str(tmp_path), "playbooks/it.yaml", GIVEN[name], today=TODAY)
    assert problems == []
    assert spec is not None
    plan, problems = compile_spec(spec)
    assert {each.code for each in problems} <= {"AP5024"}  # which is advice
    assert plan is not None
    assert plan.worst.cost_usd is not None
    assert plan.worst.cost_usd < Decimal(45)
    assert not any("{{" in text or "{%" in text for phase in plan.phases for text in (phase.goal, *phase.write))


def test_an_input_changes_what_is_asked_for(tmp_path: Path):
    (tmp_path / "it.yaml").write_text((ROOT / "playbooks" / "docs-refresh.yaml").read_text())
    asked = {}
    for given in ("true", "false"):
        spec, _ = load(str(tmp_path), "it.yaml", {"examples": given}, today=TODAY)
        assert spec is not None
        asked[given] = spec.playbook.tiers[0].phases[0].goal
    assert "Keep one short usage example that works." in asked["true"]
    assert "Leave usage examples out." in asked["false"]


def _parsed(verb: str, words: list[str]) -> None:
    command = cli.root.get_command(cli.root.make_context("autopack", [verb]), verb)
    assert command is not None
    command.make_context(verb, list(words))


def _told(found) -> str:
    sources = {path: document.text for path, document in found.documents.items()}
    return render(found.problems, sources, "full", False, len(found.files))
