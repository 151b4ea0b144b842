"""`autopack diff`: files, plans and revisions, told for a terminal, a pull request and a program."""

import json
import subprocess
import tempfile
from pathlib import Path

import pytest

from autopack.runners.git.past import write_specs
from tests.views import command

PROJECT = "autopack: project/v1\nname: demo\nmodels: builtin:replay\nruleset: policy/rules.yaml\n"
RULES = "autopack: ruleset/v1\nname: house\n"
PLAYBOOK = """\
autopack: playbook/v1
name: first
tiers:
  - id: T1
    phases:
      - {id: store, goal: g, category: feature_scaffolding, scope: {write: ["src/store/**"]}}
      - {id: page, goal: g, category: docs, needs: [store], scope: {write: ["docs/**"]}}
"""
WIDER = PLAYBOOK.replace("src/store/**", "src/**")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A repository whose first commit has the playbook, and a second one a wider scope and a looser ruleset."""
    for name, text in {"autopack.yaml": PROJECT, "policy/rules.yaml": RULES, "playbooks/p.yaml": PLAYBOOK}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path, "first")
    return tmp_path


def git(folder: Path, *words: str) -> None:
    named = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", *named, *words], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    return command.run(folder, "diff", *arguments)


def test_a_revision_is_compared_with_what_is_there_now(shop: Path):
    assert run(shop, "HEAD") == (0, "playbooks/p.yaml: no difference\n", "")
    (shop / "playbooks/p.yaml").write_text(WIDER)
    code, out, err = run(shop, "HEAD")
    assert (code, err) == (0, "")
    assert "  ! phase store: write widened: -src/store/**, +src/**\n      now also: src/x\n" in out


def test_two_revisions_are_compared_without_a_checkout(shop: Path):
    (shop / "playbooks/p.yaml").write_text(WIDER)
    commit(shop, "second")
    (shop / "playbooks/p.yaml").write_text("not even YAML: [")
    before = (shop / ".git/index").read_bytes()
    for words in (["HEAD~1..HEAD"], ["HEAD~1", "HEAD"], ["main~1", "main", "playbooks/p.yaml"]):
        code, out, _ = run(shop, *words)
        assert code == 0
        assert "write widened" in out
    assert run(shop, "HEAD~1:playbooks/p.yaml", "HEAD:playbooks/p.yaml")[1].startswith(
        "HEAD:playbooks/p.yaml: 2 phases"
    )
    assert (shop / ".git/index").read_bytes() == before


def test_the_ruleset_of_the_revision_counts(shop: Path):
    (shop / "policy/rules.yaml").write_text(RULES + "limits: {files: 99}\n")
    code, out, _ = run(shop, "HEAD", "--deny", "loosen-guards")
    assert code == 1
    assert "  ! phase page: limits.files raised: 20 -> 99\n" in out
    assert "denied by loosen-guards: phase page: limits.files raised\n" in out


def test_three_dots_compare_from_where_the_histories_parted(shop: Path):
    git(shop, "switch", "-q", "-c", "work")
    (shop / "playbooks/p.yaml").write_text(WIDER)
    commit(shop, "on the branch")
    git(shop, "switch", "-q", "main")
    (shop / "policy/rules.yaml").write_text(RULES + "limits: {files: 99}\n")
    commit(shop, "on main")
    assert "limits.files" in run(shop, "main..work")[1]
    out = run(shop, "main...work")[1]
    assert "write widened" in out
    assert "limits.files" not in out


def test_a_new_and_a_gone_playbook_are_compared_with_nothing(shop: Path):
    (shop / "playbooks/q.yaml").write_text(PLAYBOOK.replace("name: first", "name: other"))
    (shop / "playbooks/p.yaml").unlink()
    code, out, _ = run(shop, "HEAD", "--deny", "widen-scope,new-phases")
    assert code == 1
    assert "playbooks/p.yaml: gone, 2 -> 0 phases" in out
    assert "playbooks/q.yaml: new, 0 -> 2 phases" in out
    assert "denied by widen-scope: phase store: write widened" in out


def test_deny_names_the_rule_and_the_growth(shop: Path):
    (shop / "playbooks/p.yaml").write_text(PLAYBOOK.replace("docs,", "feature_scaffolding,"))
    code, out, _ = run(shop, "HEAD", "--deny", "cost+20%,widen-scope")
    assert code == 1
    assert "denied by cost+20%\n    the worst case in USD grows by" in out
    assert run(shop, "HEAD", "--deny", "widen-scope")[0] == 0


def test_json_is_one_document_with_everything(shop: Path):
    (shop / "playbooks/p.yaml").write_text(WIDER)
    code, out, _ = run(shop, "HEAD", "--json", "--deny", "widen-scope")
    found = json.loads(out)
    assert code == 1
    assert found["equal"] is False
    plan = found["plans"][0]
    assert plan["denied"][0]["rule"] == "widen-scope"
    assert {(c["field"], c["effect"], c["follows"]) for c in plan["changes"]} == {
        ("write", "widened", False),
        ("builder_prompt", "changed", True),
        ("patch_prompt", "changed", True),
    }
    assert plan["before"]["plan_sha256"] != plan["after"]["plan_sha256"]


def test_markdown_is_fit_for_a_comment(shop: Path):
    (shop / "playbooks/p.yaml").write_text(WIDER)
    out = run(shop, "HEAD", "--format", "markdown", "--deny", "widen-scope")[1]
    assert out.startswith(
        "### autopack: `playbooks/p.yaml`\n\n> **Denied** (1)\n>\n> - `widen-scope` `phase store`, `write`: a phase"
    )
    assert "| ⚠️ widened | `phase store` | `write` | `-src/store/**, +src/**`<br>`now also: src/x` |" in out


def test_what_a_stranger_wrote_stands_as_code_in_a_comment(shop: Path):
    name = "a|b `<img src=x>` @octocat [x](//evil) \x1b[31m"
    (shop / "playbooks/p.yaml").write_text(PLAYBOOK.replace("id: page,", f"id: page, name: {json.dumps(name)},"))
    out = run(shop, "HEAD", "--format", "markdown")[1]
    cell = "``page -> a\\|b `<img src=x>` @octocat [x](//evil) \\x1b[31m"
    assert f"|  changed | `phase page` | `name` | {cell}`` |" in out
    assert "\x1b" not in run(shop, "HEAD")[1]


def test_a_comment_is_never_longer_than_github_takes(shop: Path):
    phases = "".join(
        f"      - {{id: p{n}, goal: g, category: docs, scope: {{write: ['{'d' * 60}{n}/**']}}}}\n" for n in range(900)
    )
    (shop / "playbooks/p.yaml").write_text(PLAYBOOK + phases)
    out = run(shop, "HEAD", "--format", "markdown", "--deny", "any")[1]
    assert len(out) <= 60_000
    assert "and 702 more; `autopack diff` with `--format json` has all" in out


def test_playbooks_that_do_not_differ_share_a_line_of_the_comment(shop: Path):
    assert run(shop, "HEAD", "--format", "markdown")[1] == (
        "### autopack: no difference\n\n"
        "No difference in authority, money, risk or order, both compile to the same plan: `playbooks/p.yaml`\n"
    )


def test_findings_are_told_only_where_they_are_why_there_is_no_plan(shop: Path):
    (shop / "playbooks/p.yaml").write_text(
        PLAYBOOK.replace("needs: [store], scope: {write: [", "scope: {write: [src/store/a, ")
    )
    assert run(shop, "HEAD")[::2] == (0, "")
    (shop / "playbooks/p.yaml").write_text("not even YAML: [")
    commit(shop, "broken")
    (shop / "playbooks/p.yaml").write_text(PLAYBOOK)
    assert "HEAD:playbooks/p.yaml:1:16: error[AP1015]" in run(shop, "HEAD")[2]


def test_a_rule_that_was_left_out_denies_nothing_in_silence_nowhere(shop: Path):
    code, _, err = run(shop, "HEAD", "--deny", "")
    assert code == 2
    assert err.startswith("autopack diff: --deny names no rule, so nothing would be denied; there are widen-scope, ")


def test_a_tree_that_leads_out_of_its_folder_is_not_followed(shop: Path):
    """Git makes no such tree; whoever opens a pull request can."""
    blob = hashed(shop, "blob", b"mine: true\n")
    inner = hashed(shop, "tree", b"100644 mine.yaml\0" + bytes.fromhex(blob))
    outer = hashed(shop, "tree", b"40000 ..\0" + bytes.fromhex(inner))
    words = ["git", "-c", "user.name=m", "-c", "user.email=m@x", "commit-tree", outer, "-m", "m"]
    made = subprocess.run(words, cwd=shop, check=True, capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        write_specs(shop, made, Path(folder) / "in")
        assert list(Path(folder).rglob("*.yaml")) == []


def hashed(folder: Path, kind: str, content: bytes) -> str:
    argv = ["git", "hash-object", "-t", kind, "-w", "--literally", "--stdin"]
    return subprocess.run(argv, cwd=folder, input=content, check=True, capture_output=True).stdout.decode().strip()


def test_what_can_not_be_compared_says_why(shop: Path):
    code, _, err = run(shop, "nonsense")
    assert code == 2
    assert '"nonsense" names no commit' in err
    assert "Name a branch, a tag or a commit" in err
    assert "there is no HEAD:playbooks/x.yaml" in run(shop, "HEAD", "playbooks/x.yaml")[2]
    assert "there is no rule 'widen-scop'; did you mean `widen-scope`?" in run(shop, "HEAD", "--deny", "widen-scop")[2]
    (shop / "playbooks/p.yaml").write_text(PLAYBOOK.replace("docs,", "dcos,"))
    code, out, err = run(shop, "HEAD")
    assert (code, out) == (1, "")
    assert "AP5001" in err
    assert "playbooks/p.yaml has the findings above" in err


def test_without_a_repository_a_revision_means_nothing(tmp_path: Path):
    (tmp_path / "autopack.yaml").write_text(PROJECT.replace("ruleset: policy/rules.yaml\n", ""))
    (tmp_path / "p.yaml").write_text(PLAYBOOK)
    (tmp_path / "q.yaml").write_text(WIDER)
    code, _, err = run(tmp_path, "main")
    assert code == 7
    assert "git" in err
    assert run(tmp_path, "p.yaml", "q.yaml", "--detailed-exitcode")[0] == 1


NEEDS = """\
inputs:
  package: {type: string}
  depth: {type: integer}
  loud: {type: boolean}
  kind: {type: string, enum: [small, large]}
tiers:"""


def test_a_playbook_that_needs_inputs_is_compared_by_stand_ins_and_not_left_out(shop: Path):
    """Else a change could hide behind an input."""
    goal = "goal: 'Go {{ inputs.depth }} deep, {{ inputs.loud }}, {{ inputs.kind }}'"
    needy = PLAYBOOK.replace("tiers:", NEEDS).replace("src/store", "src/{{ inputs.package }}").replace("goal: g", goal)
    (shop / "playbooks/p.yaml").write_text(needy)
    commit(shop, "needs inputs")
    (shop / "playbooks/p.yaml").write_text(needy.replace("{{ inputs.package }}/**", "**"))
    code, out, err = run(shop, "HEAD", "--deny", "widen-scope")
    assert (code, err) == (1, "")
    assert "  ! phase store: write widened: -src/package/**, +src/**\n" in out
    assert "-src/limits/**, +src/**" in run(shop, "HEAD", "--input", "package=limits")[1]
