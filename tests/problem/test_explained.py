"""Every code has a page, and its examples are run: the failing one gets exactly that code, the fixed one nothing."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from autopack.plan import backlog
from autopack.plan.compiler import compile as compile_spec
from autopack.plan.model import Plan
from autopack.problem import CODES, Problem, explained, order
from autopack.problem.codes import LAYERS
from autopack.problem.explained import File, explanation
from autopack.spec.load import check, load, scenarios
from autopack.views import cli
from autopack.views.compiling import COMPILE
from autopack.views.rehearsal import Stage
from tests.run.story import BASE, Story

TODAY = "2026-11-22"
PAGES = Path(explained.__file__).parent
RUN_CODES = {"AP6103"}  # said by a run, not about a file


def write(folder: Path, files: Sequence[File]) -> list[str]:
    for file in files:
        (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.name).write_bytes(file.content)
    return [file.name for file in files]


def judged(folder: Path, files: Sequence[File]) -> list[Problem]:
    """As `validate` and then, where nothing stands against it, `rehearse` and `plan` of all there is."""
    named = write(folder, files)
    named = [name for name in named if not name.startswith(backlog.FOLDER)]
    whole = "autopack.yaml" in named
    checked = check(str(folder), None if whole else named, today=TODAY, compile=COMPILE if whole else None)
    found = list(checked.problems)
    if any(problem.severity == "error" for problem in found):
        return found
    stage = Stage(str(folder), TODAY)
    for each in scenarios(str(folder), [path for path, it in checked.documents.items() if it.kind == "scenario"]):
        found += stage.rehearse(each).problems
    for path in [path for path, document in checked.documents.items() if document.kind == "playbook"]:
        spec, problems = load(str(folder), path, today=TODAY)
        found += problems
        if spec is not None:
            found += compile_spec(spec, backlog=known(folder))[1]
    return order(found)


def known(folder: Path) -> backlog.Backlog:
    """The backlog that is committed beside an example."""
    committed = folder / backlog.FOLDER / backlog.FILE
    return backlog.load(committed.read_text(encoding="utf-8")) if committed.exists() else backlog.EMPTY


def test_every_code_has_a_page_and_every_page_a_code():
    assert sorted(page.stem for page in PAGES.glob("*.md")) == sorted(CODES)


@pytest.mark.parametrize("code", sorted(CODES.keys() - RUN_CODES))
def test_the_failing_example_gets_exactly_its_code(code: str, tmp_path: Path):
    found = [problem.code for problem in judged(tmp_path, explanation(code).failing)]
    assert (found[-1:] if code == "AP1024" else found) == [code]  # that one comes after a thousand others


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_fixed_example_gets_nothing(code: str, tmp_path: Path):
    assert judged(tmp_path, explanation(code).fixed) == []


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_page_says_what_to_do_and_fits_a_screen(code: str):
    page = explanation(code)
    assert page.advice.endswith(".")
    assert page.failing != page.fixed
    assert all(file.name for file in page.fixed)
    lines = (PAGES / f"{code}.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 100
    told = {line for file in page.failing if not file.name for line in file.text.splitlines()}
    assert max(len(line) for line in lines if line not in told) <= 120


# --- what a run says --------------------------------------------------------------------------------------


def planned(folder: Path, files: Sequence[File]) -> Plan:
    (path,) = write(folder, [file for file in files if file.name])
    spec, problems = load(str(folder), path, today=TODAY)
    assert spec is not None, problems
    plan, _ = compile_spec(spec, jobs=1)
    assert plan is not None
    return replace(plan, base_commit=BASE)


def told(plan: Plan) -> Story:
    """Two replies of each phase don't apply, the third one does."""
    story = Story(plan)
    for phase in plan.phases:
        story.says(phase.phase_id, builder=["edit_failed", "edit_failed", "ok"])
    story.tell()
    return story


def test_the_run_that_ap6103_explains_is_refused_in_these_words(tmp_path: Path):
    files = explanation("AP6103").failing
    story = told(planned(tmp_path, files))
    failures = [phase.failure.message for phase in story.run.phases.values() if phase.failure]
    assert failures == [file.text.strip() for file in files if not file.name]
    assert story.run.state == "DONE_FAILED_BUDGET_EXHAUSTED"


def test_and_the_same_run_ends_well_once_it_is_fixed(tmp_path: Path):
    assert told(planned(tmp_path, explanation("AP6103").fixed)).run.state == "DONE_SUCCESS"


# --- the form of a page -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r"a\x00b\xff", b"a\x00b\xff"),
        ("[(01, ){3}]", b"[01, 01, 01, ]"),
        ("(é){1,000}", "é".encode() * 1000),
        ("([){2}(]){2}", b"[[]]"),
        (r"(\x09){2}", b"\t\t"),
        ("{(a): [b]}", b"{(a): [b]}"),
    ],
)
def test_what_cannot_be_shown_is_spelled_out(text: str, content: bytes):
    assert File("a.yaml", text, escaped=True).content == content
    assert File("a.yaml", text, escaped=False).content == text.encode()


def test_a_page_of_another_form_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "AP2003.md").write_text("Do something.\n\n## Fixed\n")
    monkeypatch.setattr(explained, "_HERE", str(tmp_path))
    with pytest.raises(ValueError, match=r"AP2003\.md: first what to do, then `## Fails` and `## Fixed`"):
        explanation("AP2003")


# --- the verb ---------------------------------------------------------------------------------------------


def explain(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.main(["explain", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_explain_shows_why_it_matters_what_to_do_and_both_examples(capsys: pytest.CaptureFixture[str]):
    assert explain(capsys, "ap1017") == (
        0,
        """\
AP1017: number with a leading zero (warning, text)

YAML 1.2 reads 012 as 12, older readers as 10; an identifier such as 007 loses its zeros.

Write the number without zeros; put it in quotes where the zeros belong to it, as in the number of a ticket.

Fails, limits.yaml:

    autopack: playbook/v1
    name: rate limits
    budget: {phases: 020}
    tiers:
      - id: T1
        phases:
          - {id: store, goal: Add a token bucket., category: feature_scaffolding, scope: {write: [src/limits/**]}}

Fixed, limits.yaml:

    autopack: playbook/v1
    name: rate limits
    budget: {phases: 20}
    tiers:
      - id: T1
        phases:
          - {id: store, goal: Add a token bucket., category: feature_scaffolding, scope: {write: [src/limits/**]}}
""",
        "",
    )


def test_what_is_spelled_out_and_what_a_run_says_are_marked(capsys: pytest.CaptureFixture[str]):
    _, spelled, _ = explain(capsys, "AP1011")
    assert "\nFails, limits.yaml (\\x00 is one byte, (text){3} the text three times):\n" in spelled
    _, said, _ = explain(capsys, "AP6103")
    assert "\nWhat the run says:\n\n    phase" in said


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_can_be_asked_for_in_both_forms(code: str, capsys: pytest.CaptureFixture[str]):
    status, text, _ = explain(capsys, code)
    assert (status, text.splitlines()[0].partition(":")[0]) == (0, code)
    assert all(char.isprintable() for char in text.replace("\n", ""))
    status, document, _ = explain(capsys, code, "--json")
    asked, page = json.loads(document), explanation(code)
    assert status == 0
    assert asked == {
        "format_version": 1,
        "code": code,
        "layer": code[:3],
        "about": LAYERS[code[:3]],
        "title": CODES[code].title,
        "severity": CODES[code].severity,
        "why": CODES[code].why,
        "advice": page.advice,
        "failing": [{"name": file.name, "text": file.text, "escaped": file.escaped} for file in page.failing],
        "fixed": [{"name": file.name, "text": file.text, "escaped": file.escaped} for file in page.fixed],
    }


def test_a_layer_lists_its_codes(capsys: pytest.CaptureFixture[str]):
    status, text, _ = explain(capsys, "AP4")
    lines = ("  AP4001  error    needs that form a circle", "  AP4002  warning  overlapping scopes without an order")
    assert (status, text) == (0, "\n".join(("AP4: graph", *lines, "")))
    listed = [json.loads(explain(capsys, layer, "--json")[1]) for layer in LAYERS]
    assert [row["code"] for layer in listed for row in layer["codes"]] == list(CODES)
    assert listed[3]["about"] == "graph"


@pytest.mark.parametrize(
    ("asked", "advice"),
    [
        ("AP203", "did you mean `AP2003`?"),
        ("AP2O03", "did you mean `AP2003`?"),
        ("AP9", "layers: AP1 text, AP2 schema, AP3 references and templates, AP4 graph, AP5 policy"),
        ("nonsense", "layers: AP1 text"),
        ("../AP2003", "did you mean `AP2003`?"),
    ],
)
def test_an_unknown_code_gets_the_nearest_one_or_the_layers(
    asked: str, advice: str, capsys: pytest.CaptureFixture[str]
):
    status, out, err = explain(capsys, asked)
    assert (status, out) == (2, "")
    assert err.startswith(f"autopack explain: no finding has the code {asked}; {advice}")
