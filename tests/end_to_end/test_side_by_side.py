"""Two projects and four runs at once on one machine: no shared state, caps apart."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.end_to_end.scratch import PLAYBOOK, Ended, Project, hello, quick_ci


def test_two_projects_and_four_runs_at_once_are_as_if_each_were_alone(tmp_path: Path):
    projects = []
    for name in ("one", "two"):
        project = hello(tmp_path / name, {"ci.yaml": quick_ci()})
        projects.append(Project(project.root, project.repository, tmp_path / "places"))  # one home for both

    def run(told: tuple[Project, str]) -> Ended:
        project, run_id = told
        return project.autopack("run", PLAYBOOK, "--run-id", run_id, "--json")

    wanted = [(project, run_id) for project in projects for run_id in ("a", "b")]
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(run, wanted))
    assert [each.code for each in ended] == [0, 0, 0, 0], [each.err for each in ended]
    assert {each.json["tokens_used"] for each in ended} == {ended[0].json["tokens_used"]}
    assert {each.json["cost_usd"] for each in ended} == {ended[0].json["cost_usd"]}
    trees = {project.tree(run_id) for project, run_id in wanted}
    assert len(trees) == 1
    for project, run_id in wanted:
        commits = project.commits(run_id)
        assert len(commits) == 4
        assert {project.trailers(commit)["Autopack-Run"] for commit in commits} == {run_id}
    for project in projects:
        assert {row["run_id"] for row in project.autopack("runs", "--json").json} == {"a", "b"}
        assert project.leftovers() == []
