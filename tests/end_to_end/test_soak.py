"""The soak in small: every commit runs it; `python -m tests.end_to_end.soak` is the long form."""

from pathlib import Path

import pytest

from tests.end_to_end.soak import soak


def test_many_phases_with_bad_answers_all_land(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The makespan is only told by the long form: a machine that does other things beside proves nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    found = soak(tmp_path, phases=12, parallel=6, model_s=0.05, share=0.4)
    assert found.run.state == "DONE_SUCCESS"
    assert found.injected > 0
    assert {each.state for each in found.run.phases.values()} == {"COMPLETE"}
    assert sum(each.attempt for each in found.run.phases.values()) > 12


def test_a_landing_costs_the_same_however_many_wait_at_the_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each phase lands once and is carried at most once for each verdict of CI: nobody races for the head."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    found = soak(tmp_path, phases=12, parallel=12, model_s=0.0, share=0.0)
    assert found.run.state == "DONE_SUCCESS"
    landings, git_of_landings = found.counts["Land"]
    carried, git_of_carried = found.counts["Rebase"]
    assert landings == 1
    assert carried <= 1
    assert git_of_landings + git_of_carried <= 14
