"""Findings of `plan` and `run` name files from the folder the command runs in, as those of `validate` do."""

from pathlib import Path

import pytest

from autopack.views.compiled import Unusable, compiled

PLAYBOOK = """\
autopack: playbook/v1
name: x
tiers:
  - id: T1
    phases:
      - {id: a, goal: Do it., category: docs, ci: nighlty, scope: {write: ["docs/**"]}}
"""


def test_a_finding_in_the_project_above_is_named_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "autopack.yaml").write_text("autopack: project/v1\nname: s\nstage: basline\n", encoding="utf-8")
    (tmp_path / "playbooks" / "a.yaml").write_text(PLAYBOOK, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "playbooks")
    with pytest.raises(Unusable):
        compiled("a.yaml", {}, None)
    said = capsys.readouterr().err
    assert [line.partition(":")[0] for line in said.splitlines() if "error[" in line] == ["../autopack.yaml", "a.yaml"]
    assert "3 | stage: basline" in said
