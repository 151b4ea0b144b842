"""What people and machines do to a run under way: stopped, doubled, its folders taken away.

Each time the run goes on as if nothing had been, or stops with a message and goes on when it is resumed.
"""

import os
import shutil
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.end_to_end.gated import Gated
from tests.end_to_end.scratch import PATIENCE_S, PLAYBOOK, Ended, alive, eventually, hello, quick_ci
from tests.end_to_end.test_outages import GOOD, model_server
from tests.loopback import Loopback, Reply

RUN = ("run", PLAYBOOK, "--run-id", "one", "--json")


@pytest.fixture
def gated(tmp_path: Path) -> Gated:
    return Gated(tmp_path)


def _finishes(gated: Gated, *words: str) -> None:
    gated.open()
    ended = gated.project.autopack(*(words or ("resume", "one")), "--json")
    assert ended.code == 0, ended.err
    assert len(gated.landed()) == 4
    assert gated.project.autopack("verify", "one").code == 0
    assert gated.project.leftovers() == []


# --- signals ---


def test_a_driver_that_sleeps_keeps_its_run_and_goes_on_where_it_was(gated: Gated):
    """As a laptop does: the lock is held by a living process, however long that has not run; no lease runs out."""
    project = gated.project
    with project.driving(*RUN) as driver:
        gated.ci()
        os.kill(driver.pid, signal.SIGSTOP)
        second = project.autopack("resume", "one")
        assert (second.code, second.out) == (2, "")
        assert f"process {driver.pid} is driving it" in second.err
        gated.open()
        os.kill(driver.pid, signal.SIGCONT)
        _, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, err
    assert len(gated.landed()) == 4
    assert project.autopack("verify", "one").code == 0


def test_a_second_ctrl_c_ends_a_driver_at_once_and_the_run_is_resumed(tmp_path: Path):
    """The first one waits for calls that are paid; who presses again does not want to."""
    with Loopback() as server:
        server.add(Reply(fault="hang"), GOOD)
        project = model_server(tmp_path, server)
        with project.driving("run", "playbooks/one.yaml", "--run-id", "one") as driver:
            eventually(lambda: server.calls, "the call")
            driver.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                driver.wait(0.3)
            assert driver.poll() is None
            _pressed_again(driver)
            _, err = driver.communicate(timeout=PATIENCE_S)
        assert driver.returncode == 130, err
        assert "interrupted; go on with: autopack resume one" in err
        ended = project.autopack("resume", "one", "--json")
    assert (ended.code, ended.json["maybe_paid_calls"]) == (0, 1), ended.err


def _pressed_again(driver: "subprocess.Popen[str]") -> None:
    """Two signals that arrive before either is taken are one to the kernel: then it takes a third."""
    for _ in range(3):
        driver.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            driver.wait(PATIENCE_S / 4)
            return


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_step_that_is_deaf_to_signals_does_not_outlive_a_driver_that_is_told_to_stop(
    tmp_path: Path, number: signal.Signals
):
    gated = Gated(tmp_path, deaf=True)
    with gated.project.driving(*RUN) as driver:
        ci = gated.ci()
        driver.send_signal(number)
        _, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 130, err
    assert not alive(ci)
    _finishes(gated)


# --- doubled ---


def test_of_two_drivers_that_start_one_run_at_the_same_moment_one_is_refused(tmp_path: Path):
    project = hello(tmp_path, {"ci.yaml": quick_ci()})
    ended: list[Ended] = []
    threads = [threading.Thread(target=lambda: ended.append(project.autopack(*RUN))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.code for each in ended) == [0, 2], [each.err for each in ended]
    refused = next(each.err for each in ended if each.code)
    assert "one" in refused.splitlines()[-1]
    assert "Traceback" not in refused
    assert len(project.commits("one")) == 4
    assert project.autopack("verify", "one").code == 0


# --- taken away ---


def test_worktrees_that_somebody_removes_are_made_again_or_the_run_says_what_is_gone(gated: Gated):
    project = gated.project
    with project.driving(*RUN) as driver:
        gated.ci()
        shutil.rmtree(project.places / "home" / ".cache" / "autopack")
        gated.open()
        _, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode in (0, 7), err
    if driver.returncode == 7:
        told = project.autopack("status", "one", "--json").json
        assert told["failure_reason"] == "git_unusable", told["failure"]
        assert "is gone" in told["failure"]
        again = project.autopack("rerun", "one", "--failed", "--json")
        assert again.code == 0, again.err


def test_a_runs_folder_that_somebody_removes_is_written_again(gated: Gated):
    """The record is in the store; what lies in the folder is made from it."""
    project = gated.project
    with project.driving(*RUN) as driver:
        gated.ci()
        shutil.rmtree(project.artifacts("one"))
        gated.open()
        _, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, err
    assert (project.artifacts("one") / "run_summary.md").exists()
    assert project.autopack("verify", "one").code == 0


@pytest.mark.parametrize("text", ["", "[]", '{"cassette": '])
def test_options_that_somebody_has_spoilt_are_named(gated: Gated, text: str):
    project = gated.project
    with project.driving(*RUN) as driver:
        gated.ci()
        driver.kill()
        driver.wait(PATIENCE_S)
    place = project.artifacts("one") / "options.json"
    kept = place.read_text()
    place.write_text(text)
    spoilt = project.autopack("resume", "one")
    assert (spoilt.code, spoilt.out) == (2, "")
    assert f"{place} is not what a run writes" in spoilt.err
    place.write_text(kept)
    _finishes(gated)


def test_without_its_store_a_run_stops_and_says_so(gated: Gated):
    project = gated.project
    with project.driving(*RUN) as driver:
        gated.ci()
        shutil.rmtree(project.root / ".autonomous_runs")
        gated.open()
        _, err = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 7, err
    assert "the store's file was removed or replaced" in err
    assert project.leftovers() == []


# --- the network ---


def test_a_reply_that_breaks_off_in_the_middle_is_asked_for_again_and_stays_charged(tmp_path: Path):
    with Loopback() as server:
        server.add(Reply("half of it", fault="cut"), GOOD)
        project = model_server(tmp_path, server)
        ended = project.autopack("run", "playbooks/one.yaml", "--run-id", "one", "--json")
        assert ended.code == 0, ended.err
        assert ended.json["tokens_used"] >= server.tokens
    told = [row["outcome"] for row in project.autopack("logs", "one", "--json").json if row["type"] == "ModelAnswered"]
    assert told == ["transient", "ok"]
    assert [phase["attempts"] for phase in ended.json["phases"]] == [1]
