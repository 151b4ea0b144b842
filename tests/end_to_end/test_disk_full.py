"""A disk that fills up under a run: it stops, nothing is lost, and where there is room again it goes on.

The long form fills a disk at every write: DISK_FULL_EVERY=1 python -m pytest tests/end_to_end/test_disk_full.py
"""

import errno
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end import fault, storm
from tests.end_to_end.scratch import PLAYBOOK, Project, hello, quick_ci
from tests.end_to_end.storm import Left

EVERY = int(os.environ.get("DISK_FULL_EVERY", "0"))
WRITES = {"store": 73, "git": 150, "file": 130}
"""About how many a run makes of each kind; from which on one it is met."""
SHORT = (("store", 40), ("git", 70), ("file", 6), ("file", 60))
POINTS = [(kind, number) for kind in WRITES for number in range(1, WRITES[kind], EVERY)] if EVERY else SHORT


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return storm.project(tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def unbroken(project: Project) -> Left:
    return storm.stormed(project, "unbroken", [], group=False)


def _driven(project: Project, words: list[str], point: str | None) -> tuple[int, str]:
    said = project.places.parent / "said"
    said.write_text("")
    bill, root = str(project.places.parent / "bill"), str(project.root)
    _, status = fault.driven(words, point, bill, group=False, root=root, environ=project.environ, said=str(said))
    return status, said.read_text()


@pytest.mark.parametrize(("kind", "number"), POINTS)
def test_where_nothing_can_be_written_any_more_the_run_stops_and_resume_goes_on(
    project: Project, unbroken: Left, kind: str, number: int
):
    """Tree, landings, issues, files and evidence are those of a run that always had room, and so is the bill."""
    left = storm.stormed(project, f"{kind}-{number}", [f"nospace:{kind}:{number}"], group=False)
    assert left.drivers[0][1] == 7 or (EVERY and left.drivers[0][1] == 0), left.said
    assert left.drivers[0][1] == 0 or "full" in left.said or os.strerror(errno.ENOSPC) in left.said
    assert storm.faults(left, unbroken) == [], left.said


@pytest.mark.parametrize("point", ["store:30", "git:50", "file:50"])
def test_a_project_that_becomes_read_only_stops_the_run_and_resume_goes_on(
    project: Project, unbroken: Left, point: str
):
    """As a file system does that has found an error, or a share whose rights were changed."""
    left = storm.stormed(project, f"readonly-{point.replace(':', '-')}", [f"readonly:{point}"], group=False)
    assert left.drivers[0][1] == 7, left.said
    assert "readonly" in left.said or os.strerror(errno.EROFS) in left.said
    assert storm.faults(left, unbroken) == [], left.said


@pytest.mark.parametrize(("kind", "number"), [("git", 60), ("file", 40)])
def test_where_only_the_work_has_no_room_the_run_ends_of_it_and_rerun_goes_on(
    project: Project, unbroken: Left, kind: str, number: int
):
    """The journal lies on another disk: it can tell why the run ended, and keeps what had landed."""
    name = f"only-{kind}"
    words = ["run", storm.PLAYBOOK, "--run-id", name, "--jobs", "3"]
    status, said = _driven(project, words, f"nospace:{name}:{number}")
    assert status == 7, said
    told = project.autopack("status", name, "--json").json
    assert (told["state"], told["failure_reason"]) == ("DONE_FAILED_ENVIRONMENT", "disk_full")
    assert project.autopack("resume", name).code == 7  # which writes the files that had no room
    assert project.autopack("verify", name).code == 0
    again = project.autopack("rerun", name, "--failed")
    assert again.code == 0, again.err
    assert project.tree(f"{name}-r1") == unbroken.tree


def test_an_answer_that_could_not_be_recorded_is_not_lost(tmp_path: Path):
    """The call was paid: its answer is believed, and the next call is not sent before there is room to record it."""
    project = hello(tmp_path, {"ci.yaml": quick_ci()})
    words = ["run", PLAYBOOK, "--run-id", "one", "--record", str(tmp_path / "tape.jsonl")]
    status, said = _driven(project, words, "nospace:tape:3")
    assert status == 7, said
    paid = (project.places.parent / "bill").read_text().split()
    with_answer = [row for row in project.autopack("logs", "one", "--json").json if row["type"] == "ModelAnswered"]
    assert len(paid) == len(with_answer) == len(set(paid))
    assert project.autopack("status", "one", "--json").json["failure_reason"] == "disk_full"


# --- a real disk ---


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64m", "autopack-test", str(place)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk of its own")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_real_disk_that_is_full_before_a_transaction_stops_the_run_which_goes_on_when_there_is_space(disk: Path):
    """Nothing is lost and nothing done twice: stopped it is resumed, ended by the full disk it is run again."""
    project = storm.project(disk)
    project = Project(project.root, project.repository, disk.parent / "places")  # home and cache are elsewhere
    unbroken, _ = _driven(project, ["run", storm.PLAYBOOK, "--run-id", "unbroken"], None)
    assert unbroken == 0
    ballast = disk / "ballast"
    for number in range(1, 60, EVERY or 20):
        run_id = f"r{number}"
        words = ["run", storm.PLAYBOOK, "--run-id", run_id, "--jobs", "3"]
        status, said = _driven(project, words, f"full:{number}:{ballast}")
        full = ballast.exists()
        ballast.unlink(missing_ok=True)
        assert status in ((0, 7) if full else (0,)), (number, said)
        if status == 7:
            assert "full" in said or "No space left" in said, (number, said)
            status, said = _driven(project, ["resume", run_id], None)
            if status == 7:
                status, said = _driven(project, ["rerun", run_id, "--failed"], None)
                run_id += "-r1"
        assert status == 0, (number, said)
        assert project.tree(run_id) == project.tree("unbroken"), number


def test_a_step_that_fails_where_its_disk_is_full_is_no_verdict_on_the_patch(disk: Path, tmp_path: Path):
    project = hello(tmp_path, {"ci.yaml": quick_ci("sh", "-c", "dd if=/dev/zero of=all bs=1M 2>&1")})
    project = Project(project.root, project.repository, project.places, {"XDG_CACHE_HOME": str(disk)})
    ended = project.autopack("run", PLAYBOOK, "--run-id", "one", "--json")
    told = json.loads(ended.out)
    assert (ended.code, told["failure_reason"]) == (7, "disk_full"), ended.err
    assert {phase["attempts"] for phase in told["phases"]} <= {0, 1}
