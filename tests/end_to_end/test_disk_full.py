"""A disk that fills up under a run, for real: a small tmpfs, filled before one transaction after the other."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end import fault, storm
from tests.end_to_end.scratch import Project

EVERY = int(os.environ.get("DISK_FULL_EVERY", "8"))  # 1 is the long form: each transaction of the run


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64m", "autopack-test", str(place)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk of its own")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _driven(project: Project, words: list[str], point: str | None) -> tuple[int, str]:
    said = project.places.parent / "said"
    said.write_text("")
    bill, root = str(project.places.parent / "bill"), str(project.root)
    _, status = fault.driven(words, point, bill, group=False, root=root, environ=project.environ, said=str(said))
    return status, said.read_text()


def test_a_disk_full_at_any_transaction_stops_the_run_which_goes_on_when_there_is_space(disk: Path):
    """Nothing is lost and nothing done twice: stopped it is resumed, ended by the full disk it is run again."""
    project = storm.project(disk)
    project = Project(project.root, project.repository, disk.parent / "places")  # home and cache are elsewhere
    unbroken, _ = _driven(project, ["run", storm.PLAYBOOK, "--run-id", "unbroken"], None)
    assert unbroken == 0
    ballast = disk / "ballast"
    met = 0
    for number in range(1, 100, EVERY):
        run_id = f"r{number}"
        status, said = _driven(
            project, ["run", storm.PLAYBOOK, "--run-id", run_id, "--jobs", "3"], f"full:{number}:{ballast}"
        )
        full = ballast.exists()
        ballast.unlink(missing_ok=True)
        if not full:
            assert status == 0, said
            break
        met += 1
        assert status in (0, 7), (number, status, said)
        if status == 7:
            assert "full" in said or "No space left" in said, (number, said)
            status, said = _driven(project, ["resume", run_id], None)
            if status == 7:
                status, said = _driven(project, ["rerun", run_id, "--failed"], None)
                run_id += "-r1"
        assert status == 0, (number, said)
        assert project.tree(run_id) == project.tree("unbroken"), number
    assert met * EVERY >= 30
