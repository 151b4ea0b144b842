"""`fmt`: the canonical layout, and that it never changes what a file says."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopack.spec.document import Document, read
from autopack.spec.layout import Unformattable, formatted
from autopack.spec.marks import comments


def document(text: str) -> Document:
    found, problems = read("p.yaml", text.encode())
    assert found is not None, problems
    return found


def said(text: str) -> list[str]:
    return sorted(text[start:end].rstrip() for start, end in comments(document(text)))


BEFORE = """\
# top of the file

autopack: playbook/v1
tiers:   # two of them
- phases:
  # about p
  - goal: |
      hello
        there

    # id of it
    id: a   # x
    scope: {write: [a,
      b]}
    category: docs


  # tail of phases
  -   category: docs
      id: b
      goal: some text
        over lines
      scope:
       write:
       - a
       -    b # bb
  id: T1
  # tail of T1
# about the name
name: "x"
# end
"""
AFTER = """\
# top of the file

autopack: playbook/v1
# about the name
name: "x"
tiers:   # two of them
  - id: T1
    phases:
      # about p
      # id of it
      - id: a   # x
        goal: |
          hello
            there
        category: docs
        scope: {write: [a,
          b]}

      # tail of phases
      - id: b
        goal: some text
          over lines
        category: docs
        scope:
          write:
            - a
            - b # bb
    # tail of T1
# end
"""


def test_keys_take_the_order_of_their_schema_and_comments_go_with_them():
    assert formatted(document(BEFORE)) == AFTER


def test_what_is_formatted_stays_as_it_is():
    assert formatted(document(AFTER)) == AFTER


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("autopack: ci/v1\nmeta:\n    b: 1\n    a:\n        - - 1\n          - 2\n        -\n            c: 3\n",
         "autopack: ci/v1\nmeta:\n  b: 1\n  a:\n    - - 1\n      - 2\n    - c: 3\n"),  # free data keeps its order
        ("meta: &b {c: 1}\nname: *b\nautopack: ci/v1\n", "meta: &b {c: 1}\nname: *b\nautopack: ci/v1\n"),  # an alias
        ("x-b: &b {c: 1}\nautopack: ci/v1\nmeta: *b\n", "autopack: ci/v1\nx-b: &b {c: 1}\nmeta: *b\n"),
        ("autopack: tier/v1\nphases:\n  - &p\n    goal: g\n    id: a\n  - id: b\n    <<: *p\nid: t\n",
         "autopack: tier/v1\nid: t\nphases:\n  - &p\n    id: a\n    goal: g\n  - <<: *p\n    id: b\n"),
        ('autopack: ci/v1\nmeta: { a:1 ,b: [ x,y ] ,"c":2, d: }\n',
         'autopack: ci/v1\nmeta: {a:1, b: [x, y], "c": 2, d: }\n'),
        ("autopack: ci/v1\nmeta: [ {a: b,\n # why\n  c: &z !!str d },   # here\n\n  *z\n      ]  # end\n",
         "autopack: ci/v1\nmeta: [{a: b,\n  # why\n  c: &z !!str d},   # here\n  *z\n]  # end\n"),
        ("autopack: ci/v1\nmeta:\n    - {a: 'x\n        y'  ,  b: 1}\n",
         "autopack: ci/v1\nmeta:\n  - {a: 'x\n      y'  ,  b: 1}\n"),  # a text over two lines stays
        ("autopack: ci/v1\nmeta: &m\n    a: 1\nx-m: *m\n", "autopack: ci/v1\nmeta: &m\n  a: 1\nx-m: *m\n"),
        ("autopack: ci/v1\nmeta:\n    - &m  # why\n        a: 1\n    - *m\n",
         "autopack: ci/v1\nmeta:\n  - &m  # why\n    a: 1\n  - *m\n"),
        ("meta:\n  a: |+\n    x\n\n\nautopack: ci/v1\n", "autopack: ci/v1\nmeta:\n  a: |+\n    x\n\n\n"),
        ("autopack: ci/v1\nmeta:\n    a: |2\n        x\n      y\n",
         "autopack: ci/v1\nmeta:\n  a: |2\n      x\n    y\n"),
        ("autopack: ci/v1\r\nmeta:\r\n    a: 1", "autopack: ci/v1\r\nmeta:\r\n  a: 1\r\n"),
        ("---\nautopack: ci/v1\nmeta:\n    a: 1\n...\n", "---\nautopack: ci/v1\nmeta:\n  a: 1\n...\n"),
        ("autopack: ci/v1\nmeta:\n  - # first\n    a: 1\n", "autopack: ci/v1\nmeta:\n  # first\n  - a: 1\n"),
        ("autopack: ci/v1\nmeta:\n    'it''s': 1\n    \"b\":\n    c: ~\n",
         "autopack: ci/v1\nmeta:\n  'it''s': 1\n  \"b\":\n  c: ~\n"),
    ],
)  # fmt: skip
def test_odd_spellings_keep_their_meaning(before: str, after: str):
    assert formatted(document(before)) == after
    assert formatted(document(after)) == after
    assert document(after).value == document(before).value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{autopack: ci/v1}\n", "only a file whose keys are written line by line has a layout"),
        ("--- {autopack: ci/v1}\n", "only a file whose keys are written line by line has a layout"),
        ("? autopack\n: ci/v1\n", "line 1 starts its key in an unusual way"),
        ("autopack: ci/v1\rname: x\r", "it has line breaks of old Macintoshes"),
    ],
)
def test_what_has_no_layout_is_left_alone(text: str, reason: str):
    with pytest.raises(Unformattable, match=re.escape(reason)):
        formatted(document(text))


# --- any file ---------------------------------------------------------------------------------------------

WORDS = st.text("ab c:#'-\n", min_size=1, max_size=12).map(str.strip)
NAMES = st.sampled_from(["id", "name", "goal", "category", "scope", "write", "phases", "tiers", "meta", "x-a", "z"])
VALUES = st.recursive(
    st.one_of(WORDS.map(lambda word: ("text", word)), st.sampled_from([("plain", "x"), ("plain", "12"), ("none", "")])),
    lambda below: st.one_of(
        st.lists(below, min_size=1, max_size=3).map(lambda items: ("list", items)),
        st.dictionaries(NAMES, below, min_size=1, max_size=4).map(lambda pairs: ("map", pairs)),
    ),
    max_leaves=12,
)


class Writer:
    """Spells a value out in one of the many ways there are, comments and blank lines included."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.comments = 0
        self.anchored = False  # whether an `&a` may stand here: the first one is written at the top

    def remark(self, indent: int) -> str:
        more = self.draw(st.sampled_from(["", "", "", "\n", "comment", "comment", "\n\n"]))
        if more != "comment":
            return more
        self.comments += 1
        return " " * indent + f"# comment {self.comments}\n"

    def behind(self) -> str:
        if self.draw(st.integers(0, 4)):
            return "\n"
        self.comments += 1
        return f"   # behind {self.comments}\n"

    def value(self, value: tuple[str, object], indent: int) -> str:
        """What follows `key:` or `-`, its line break included."""
        kind, held = value
        if self.draw(st.integers(0, 5)) == 0:
            return f" {self.flow(value, indent + 1)}" + self.behind()
        if kind in ("map", "list"):
            deeper = indent + self.draw(st.integers(1, 4))
            return self.behind() + self.collection(value, deeper)
        return self.scalar(kind, str(held), indent)

    def flow(self, value: tuple[str, object], indent: int) -> str:
        """In brackets, with blanks, breaks and comments wherever they may be."""
        kind, held = value
        if kind == "map":
            assert isinstance(held, dict)
            pairs = [f"{key}:{self.gap(indent, ' ')}{self.flow(item, indent)}" for key, item in held.items()]
            return self.brackets("{}", pairs, indent)
        if kind == "list":
            assert isinstance(held, list)
            return self.brackets("[]", [self.flow(item, indent) for item in held], indent)
        named = self.draw(st.sampled_from(["", "", "", "&a ", "*a"])) if self.anchored else ""
        if named == "*a":
            return "*a "
        return named + ("''" if kind == "none" else "'" + str(held).replace("'", "''").replace("\n", " ") + "'")

    def brackets(self, signs: str, parts: list[str], indent: int) -> str:
        inside = ",".join(self.gap(indent) + part + self.gap(indent) for part in parts)
        return signs[0] + inside + self.gap(indent) + signs[1]

    def gap(self, indent: int, least: str = "") -> str:
        kind = self.draw(st.sampled_from(["", "", "", " ", "   ", "break", "comment"]))
        if kind == "comment":
            self.comments += 1
            return f"  # inside {self.comments}\n{' ' * indent}"
        return "\n\n" + " " * indent if kind == "break" else kind or least

    def scalar(self, kind: str, text: str, indent: int) -> str:
        if kind == "none":
            return self.behind()
        if kind == "plain":
            return f" {text}" + self.behind()
        if self.draw(st.booleans()):
            pad = " " * (indent + self.draw(st.integers(1, 3)))
            style = self.draw(st.sampled_from(["|", "|-", "|+"]))
            body = "".join(f"{pad}{line.strip()}\n" if line.strip() else "\n" for line in text.split("\n"))
            return f" {style}\n{body}"
        quoted = text.replace("'", "''").replace("\n", "\n\n" + " " * (indent + 1))
        return f" '{quoted}'" + self.behind()

    def collection(self, value: tuple[str, object], indent: int) -> str:
        kind, held = value
        pad = " " * indent
        if kind == "map":
            assert isinstance(held, dict)
            return "".join(f"{self.remark(indent)}{pad}{key}:{self.value(item, indent)}" for key, item in held.items())
        assert isinstance(held, list)
        return "".join(f"{self.remark(indent)}{pad}-{self.item(item, indent)}" for item in held)

    def item(self, value: tuple[str, object], indent: int) -> str:
        """Collections start on the line of the dash, half of the time."""
        if value[0] in ("map", "list") and self.draw(st.booleans()):
            gap = self.draw(st.integers(1, 3))
            written = self.collection(value, indent + 1 + gap)
            first = written.lstrip("\n")
            if first.startswith(" " * (indent + 1 + gap)) and not first.lstrip().startswith("#"):
                return " " * gap + first[indent + 1 + gap :]
            return "\n" + written
        return self.value(value, indent)


@st.composite
def files(draw: st.DrawFn) -> str:
    pairs = draw(st.dictionaries(NAMES, VALUES, min_size=1, max_size=5))
    header = {"autopack": ("plain", "playbook/v1")}
    first = draw(st.booleans())
    writer = Writer(draw)
    writer.anchored = draw(st.booleans())
    anchor = "x-anchor: &a 'first'\n" if writer.anchored else ""
    return anchor + writer.collection(("map", {**header, **pairs} if first else {**pairs, **header}), 0)


@settings(deadline=None, max_examples=300)
@given(files())
def test_any_file_says_the_same_with_the_same_comments_and_formatting_it_again_changes_nothing(text: str):
    before, _ = read("p.yaml", text.encode())
    if before is None:
        return
    once = formatted(before)
    after = document(once)
    assert after.value == before.value
    assert said(once) == said(text)
    assert formatted(after) == once
