"""Scopes over the files that govern the run itself."""

import pytest

from tests.plan.folder import Folder

PHASE = "      - {id: %s, category: docs, goal: do it, scope: {write: [%s]}%s}\n"


def phases(*texts: str) -> str:
    return "tiers:\n  - id: T1\n    phases:\n" + "".join(texts)


@pytest.mark.parametrize(
    ("write", "under", "said"),
    [
        ('"**"', '"**"', '"**" covers autopack.yaml and 1 more, which no phase may write'),
        ("docs/**, autopack.yaml", "autopack.yaml", '"autopack.yaml" covers autopack.yaml, which no phase may write'),
        ('"?.yaml"', '"?.yaml"', '"?.yaml" covers p.yaml, which no phase may write'),
    ],
)
def test_a_scope_over_the_projects_own_files_is_told_at_its_pattern(folder: Folder, write: str, under: str, said: str):
    (found,) = folder.playbook(phases(PHASE % ("a", write, ""))).found("AP5008")
    assert (found.severity, folder.under(found.span), found.message) == ("warning", under, said)


@pytest.mark.parametrize("write", ["docs/**", '"**", "!*.yaml"', "autopack/**", '"[a-m]*.yaml", "!autopack.yaml"'])
def test_a_scope_beside_them_is_nothing_to_tell(folder: Folder, write: str):
    assert folder.playbook(phases(PHASE % ("a", write, ""))).found("AP5008") == []


def test_what_a_phase_is_allowed_is_not_held_against_it(folder: Folder):
    own = PHASE % ("a", '"*.yaml"', ', allow: [{protected_paths: ["*.yaml"]}]')
    assert folder.playbook(phases(own)).found("AP5008") == []
    grant = "{phases: [a], allow: [{protected_paths: ['*.yaml']}], owner: ann, reason: move, until: 2099-01-31}"
    folder.ruleset(f"grants: [{grant}]\n").playbook(phases(PHASE % ("a", '"*.yaml"', "")))
    assert folder.found("AP5008") == []


def test_the_branches_of_a_fan_out_share_one_finding(folder: Folder):
    folder.playbook(phases(PHASE % ("a", '"p*"', ", for_each: [x, y, z]")))
    assert len(folder.found("AP5008")) == 1
