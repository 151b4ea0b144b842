"""Whatever has been typed so far, every question about it has an answer: an editor asks without being asked."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsprotocol.types import Position, Range

from autopack.views.lsp import completion, findings, formatting, hover, navigation
from autopack.views.lsp.workspace import Workspace

MODULE = "autopack: tier/v1\nid: m\ninputs: {a: {type: string}}\nphases: [{id: p, goal: '{{ inputs.a }}'}]\n"
TEXT = """\
autopack: playbook/v1
name: 🚀 x
inputs: {service: {type: string}, port: {default: 80}}
tiers:
  - uses: m.yaml
    with: {a: "{{ inputs.service }}"}
  - id: T
    phases:
      - &p
        id: store
        matrix: {db: [pg, 1], py: [x]}
        goal: |
          Of {{ matrix.db }} {% if inputs.port %}x{% endif %}
        scope: {write: [src/**]}   # autopack: ignore[AP1016] until=2027-01-31 owner=ann reason=x
      - {<<: *p, id: b, needs: [store.pg.x], for_each: [a], goal: "{{ item }}"}
"""
SIGNS = [
    "{{",
    "}}",
    "{{inputs.",
    "{%",
    "if",
    "[",
    "]",
    "{",
    "}",
    "|",
    "&a",
    "*a",
    "!!x",
    "<<:",
    "? ",
    "- ",
    ": ",
    "'",
    "🚀",
]
WORDS = ["with:", "uses:", "for_each:", "tiers:", "null", "1", "matrix", "inputs:"]
BLANKS = ["\n", "\t", "\ufeff", "\x00", "\r", '"']
PIECES = st.sampled_from([*SIGNS, *WORDS, *BLANKS])


@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.tuples(st.integers(0, len(TEXT)), st.integers(0, 40), PIECES), max_size=4), st.data())
def test_no_text_that_may_be_typed_breaks_an_answer(
    tmp_path: Path, typed: list[tuple[int, int, str]], data: st.DataObject
) -> None:
    (tmp_path / "m.yaml").write_text(MODULE)
    text = TEXT
    for at, gone, piece in typed:
        text = text[:at] + piece + text[at + gone :]
    workspace, place = Workspace(), str(tmp_path / "a.yaml")
    workspace.put(Path(place).as_uri(), 1, TEXT)
    workspace.put(Path(place).as_uri(), 2, text)
    line = data.draw(st.integers(0, text.count("\n") + 1))
    here = Position(line, data.draw(st.integers(0, 60)))
    findings.diagnostics(workspace, str(tmp_path))
    findings.actions(workspace, place, Range(here, here))
    completion.completions(workspace, place, here)
    hover.hover(workspace, place, here)
    navigation.definition(workspace, place, here)
    navigation.references(workspace, place, here, declarations=True)
    navigation.links(workspace, place)
    navigation.symbols(workspace, place)
    try:
        navigation.rename(workspace, place, here, "other")
        formatting.formatted(workspace, place)
    except (navigation.Refused, formatting.Left):
        return
