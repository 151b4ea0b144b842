"""Two projects on one machine, their runs of the same name and with the same wishes: neither knows of the other."""

import threading
from pathlib import Path

from tests.end_to_end.scratch import PLAYBOOK, Ended, Project, hello


def test_runs_of_the_same_name_in_two_projects_do_not_touch_each_others_children(tmp_path: Path):
    projects = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        projects.append(hello(tmp_path / name))
    ended: list[Ended] = []

    def run(project: Project) -> None:
        ended.append(project.autopack("run", PLAYBOOK, "--run-id", "same-1", "--json"))

    threads = [threading.Thread(target=run, args=(project,)) for project in projects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.code for each in ended] == [0, 0], ended[0].err + ended[1].err
    assert ended[0].json["cost_usd"] == ended[1].json["cost_usd"]
