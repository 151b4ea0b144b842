"""Drivers that are killed, interrupted, cancelled or doubled: the run goes on as if nothing had been.

`python -m tests.end_to_end.kill_sweep` is the long form: every point, each in a run of its own.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.gated import Gated
from tests.end_to_end.kill_sweep import AROUND_EFFECTS, Killed, killed
from tests.end_to_end.scratch import PATIENCE_S, PLAYBOOK, Project, alive, eventually, hello_of_many_runs

KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return hello_of_many_runs(tmp_path_factory.mktemp("kill"))


@pytest.fixture(scope="module")
def unbroken(project: Project) -> Killed:
    return killed(project, "unbroken", [])


# --- SIGKILL ---


def test_a_driver_that_lives_leaves_what_the_others_are_measured_by(unbroken: Killed):
    assert unbroken.faults(unbroken.tree) == []
    assert unbroken.drivers == ((None, 0),)
    assert unbroken.events[0] == "ProvidersProbed"
    assert unbroken.events[-1] == "RunClosed"


def test_drivers_killed_after_every_third_append_build_the_same(project: Project, unbroken: Killed):
    run = killed(project, "appends", ["append:3"] * 20)
    assert run.faults(unbroken.tree) == [], run.said
    kills = [point for point, status in run.drivers if status == KILLED]
    assert len(kills) >= 8, run.drivers
    assert run.drivers[-1][1] == 0


def test_drivers_killed_with_their_group_before_and_after_each_kind_of_effect_build_the_same(
    project: Project, unbroken: Killed
):
    run = killed(project, "effects", AROUND_EFFECTS, group=True)
    assert run.faults(unbroken.tree) == [], run.said
    assert run.drivers == (*((point, KILLED) for point in AROUND_EFFECTS), (None, 0))


def test_an_answer_on_the_disk_is_used_and_one_that_never_got_there_is_paid_again(project: Project, unbroken: Killed):
    """`after:CallModel` leaves the reply in the ledger of calls; `answer:1` dies with a paid answer in its hands."""
    run = killed(project, "answers", ["after:CallModel", "answer:1", "after:CallModel"])
    assert run.faults(unbroken.tree) == [], run.said
    lost = [key for key, call in run.calls.items() if call.reply is None]
    assert len(run.paid) == 7
    assert run.summary["model_calls"] == 7
    assert run.summary["maybe_paid_calls"] == 1
    assert run.events.count("EffectLost") == 1
    assert set(lost) < set(run.paid)
    held = run.calls[lost[0]].reserved_tokens
    assert run.summary["tokens_used"] == unbroken.summary["tokens_used"] + held


def test_a_driver_killed_when_all_was_decided_leaves_the_files_to_the_next(project: Project, unbroken: Killed):
    run = killed(project, "closing", ["event:RunClosed"])
    assert run.faults(unbroken.tree) == [], run.said
    assert run.drivers == (("event:RunClosed", KILLED), (None, 0))
    assert sorted(run.events) == sorted(unbroken.events)
    assert "DONE_SUCCESS" in (project.artifacts("closing") / "run_summary.md").read_text()


# --- a run that is met in the middle ---


@pytest.fixture
def gated(tmp_path: Path) -> Gated:
    return Gated(tmp_path)


def test_what_a_dead_driver_had_started_is_killed_by_the_next_one(gated: Gated):
    with gated.project.driving("run", PLAYBOOK, "--run-id", "one") as first:
        orphan = gated.ci()
        first.kill()
        first.wait(PATIENCE_S)
        assert alive(orphan)
        with gated.project.driving("resume", "one", "--json") as second:
            eventually(lambda: not alive(orphan), "the orphan's end")
            assert gated.ci() != orphan
            gated.open()
            out, err = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 0, err
    assert '"state": "DONE_SUCCESS"' in out
    assert gated.project.leftovers() == []


def test_a_second_driver_is_refused_and_told_who_drives(gated: Gated):
    project = gated.project
    with project.driving("run", PLAYBOOK, "--run-id", "one") as first:
        gated.ci()
        second = project.autopack("resume", "one")
        assert (second.code, second.out) == (2, "")
        assert f"process {first.pid} is driving it" in second.err
        status = project.autopack("status", "one", "--json")
        assert (status.code, status.json["state"]) == (0, "CI_RUNNING")
        assert [phase["state"] for phase in status.json["phases"]] == ["COMPLETE", "CI_RUNNING", "QUEUED", "QUEUED"]
        gated.open()
        _, err = first.communicate(timeout=PATIENCE_S)
    assert first.returncode == 0, err
    assert len(gated.landed()) == 4


def test_an_interrupted_run_stops_cleanly_as_often_as_one_likes_and_can_be_resumed(gated: Gated):
    project = gated.project
    words: tuple[str, ...] = ("run", PLAYBOOK, "--run-id", "one")
    hang_up = [] if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else [signal.SIGHUP]  # nohup's is inherited
    for number in (signal.SIGINT, signal.SIGTERM, *hang_up):
        with project.driving(*words, "--json") as driver:
            ci = gated.ci()
            driver.send_signal(number)
            out, err = driver.communicate(timeout=PATIENCE_S)
        assert (driver.returncode, out) == (130, "")
        assert err.splitlines()[-1] == "interrupted; go on with: autopack resume one"
        assert not alive(ci)
        assert project.leftovers() == []
        assert gated.landed() == ["phrasebook"]
        words = ("resume", "one")

    gated.open()
    resumed = project.autopack("resume", "one", "--json")
    assert resumed.code == 0, resumed.err
    assert (resumed.json["model_calls"], resumed.json["maybe_paid_calls"]) == (5, 0)
    assert len(gated.landed()) == 4


def test_a_run_under_nohup_outlives_its_terminal(gated: Gated):
    """Also where the hang-up comes twice, from the kernel and from the shell."""
    project = gated.project
    words = [sys.executable, "-m", "autopack", "run", PLAYBOOK, "--run-id", "one"]
    driver = subprocess.Popen(
        ["nohup", *words], cwd=project.root, env=project.environ, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        gated.ci()
        driver.send_signal(signal.SIGHUP)
        driver.send_signal(signal.SIGHUP)
        gated.open()
        assert driver.wait(PATIENCE_S) == 0
    finally:
        driver.kill()
        driver.wait()
    assert len(gated.landed()) == 4


def test_a_run_is_cancelled_from_another_process_and_what_landed_stays(gated: Gated):
    project = gated.project
    with project.driving("run", PLAYBOOK, "--run-id", "one", "--json") as driver:
        ci = gated.ci()
        cancel = project.autopack("cancel", "one", LOGNAME="ann")
        assert (cancel.code, cancel.out) == (0, "")
        assert "asked the driver of one to stop" in cancel.err
        _, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 1, err
    assert not alive(ci)
    assert project.leftovers() == []
    status = project.autopack("status", "one", "--json").json
    assert (status["state"], status["failure_reason"]) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "cancelled")
    assert status["failure"] == "cancelled by ann"
    assert [phase["state"] for phase in status["phases"]] == ["COMPLETE", "FAILED", "SKIPPED", "SKIPPED"]
    assert gated.landed() == ["phrasebook"]
    again = project.autopack("resume", "one")
    assert again.code == 1
    assert "cancelled by ann" in again.out


def test_a_run_whose_driver_is_dead_is_cancelled_on_the_spot(gated: Gated):
    project = gated.project
    with project.driving("run", PLAYBOOK, "--run-id", "one") as driver:
        orphan = gated.ci()
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait(PATIENCE_S)
    cancel = project.autopack("cancel", "one", "--json", LOGNAME="ann")
    assert (cancel.code, cancel.json["failure"]) == (0, "cancelled by ann"), cancel.err
    assert not alive(orphan)
    assert project.leftovers() == []
    assert gated.landed() == ["phrasebook"]
