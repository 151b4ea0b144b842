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
