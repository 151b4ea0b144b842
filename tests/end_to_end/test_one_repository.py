"""Two projects that build one repository, their runs of one name started in the same instant: one has the branch."""

import json
import shutil
import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from tests.end_to_end.scratch import ONE, PATIENCE_S, Ended, Project, hello, quick_ci
from tests.end_to_end.test_outages import GOOD, MODELS
from tests.loopback import Loopback, Sent

RUN = ("run", "playbooks/one.yaml", "--run-id", "same", "--json")


class Meeting(Loopback):
    """A server at which a run's first question, whether it is there, is answered when so many runs have asked it."""

    def __init__(self, runs: int) -> None:
        super().__init__(answer=lambda _: GOOD)
        self._met = threading.Barrier(runs, timeout=PATIENCE_S)

    def receive(self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Sent:
        if method == "GET":
            with suppress(threading.BrokenBarrierError):
                self._met.wait()
        return super().receive(method, path, headers, body)


def projects(folder: Path, server: Loopback) -> list[Project]:
    """The second has its own folder, store, budget and places, and names the repository of the first."""
    files = {
        "ci.yaml": quick_ci(),
        "models.yaml": MODELS % server.url,
        "playbooks/one.yaml": ONE,
        "autopack.yaml": "autopack: project/v1\nname: first\nplaybooks: [playbooks/one.yaml]\n"
        "ci: ci.yaml\nmodels: models.yaml\nbudget: {tokens: 1_000_000}\n",
    }
    made = hello(folder, files)
    other = folder / "other"
    (other / "playbooks").mkdir(parents=True)
    for name in ("ci.yaml", "models.yaml", "playbooks/one.yaml"):
        shutil.copy(made.root / name, other / name)
    text = files["autopack.yaml"].replace("name: first", f"name: second\nrepository: {made.root}")
    (other / "autopack.yaml").write_text(text)
    key = {"LOOPBACK_KEY": "a-key"}
    return [Project(root, made.repository, made.places, key) for root in (made.root, other)]


def at_once(*started: tuple[Project, tuple[str, ...]]) -> list[Ended]:
    with ExitStack() as stack:
        drivers = [stack.enter_context(project.driving(*words)) for project, words in started]
        told = [driver.communicate(timeout=PATIENCE_S) for driver in drivers]
    return [Ended(driver.returncode, *words) for driver, words in zip(drivers, told, strict=True)]


def test_of_two_runs_of_one_name_one_is_refused_before_its_first_call(tmp_path: Path):
    """Both have seen that the branch is free, and make it at the same commit."""
    with Meeting(2) as server:
        both = projects(tmp_path, server)
        ended = at_once(*((project, RUN) for project in both))
        asked = len(server.calls)
    won, lost = sorted(zip(ended, both, strict=True), key=lambda each: each[0].code)
    assert (won[0].code, won[0].json["state"]) == (0, "DONE_SUCCESS"), won[0].err
    assert lost[0].code in (2, 7), lost[0].err  # 2: the other one had opened its run before this one looked
    told = lost[0].json["failure"] if lost[0].code == 7 else lost[0].err
    assert "autonomous/same" in told
    assert "another id with --run-id" in told
    assert asked == won[0].json["model_calls"]
    assert len(won[1].commits("same")) == 1
    assert won[1].autopack("verify", "same").code == 0
    if lost[0].code == 7:
        assert (lost[0].json["model_calls"], lost[0].json["tokens_used"]) == (0, 0)
        spent = json.loads(lost[1].autopack("report", "--budget", "--json").out)["project"]
        assert (spent["spent_tokens"], spent["left_tokens"]) == (0, 1_000_000)
    assert lost[1].leftovers() == []


def test_four_runs_of_two_projects_share_a_repository_and_nothing_else(tmp_path: Path):
    """Each project has a budget of its own, and each run its branch."""
    with Meeting(4) as server:
        both = projects(tmp_path, server)
        names = ("a", "b", "c", "d")
        started = [(both[number % 2], (*RUN[:3], name, "--json")) for number, name in enumerate(names)]
        ended = at_once(*started)
        billed = server.tokens
    assert [each.code for each in ended] == [0, 0, 0, 0], [each.err for each in ended]
    assert {each.json["tokens_used"] for each in ended} == {ended[0].json["tokens_used"]}
    assert sum(each.json["tokens_used"] for each in ended) == billed
    for (project, _), name in zip(started, names, strict=True):
        (commit,) = project.commits(name)
        assert project.trailers(commit)["Autopack-Run"] == name
    for project, own in zip(both, (("a", "c"), ("b", "d")), strict=True):
        assert {row["run_id"] for row in project.autopack("runs", "--json").json} == set(own)
        spent = json.loads(project.autopack("report", "--budget", "--json").out)["project"]["spent_tokens"]
        assert spent == 2 * ended[0].json["tokens_used"]
        assert project.leftovers() == []
