"""Mistakes people make, one at a time, in a playbook in order: one finding, at the token, with what to write instead.

Each replaces a piece of PLAYBOOK; `said` is how message and help begin.
"""

from pathlib import Path
from typing import NamedTuple

import pytest

from autopack.spec.load import check

PLAYBOOK = """\
autopack: playbook/v1
name: limits
inputs: {service: {default: orders}}
budget: {tokens: 2_000_000, cost_usd: "5.00", minutes: 60}
tiers:
  - id: T1
    name: Storage
    phases:
      - id: store
        name: In-memory token bucket
        category: feature_scaffolding
        complexity: low
        goal: |
          Add a token bucket to {{ inputs.service }}.
        scope:
          write:
            - src/limiter/**
            - tests/test_bucket.py
        deliverables: [src/limiter/bucket.py]
        probes: [[python, -m, pytest, -q]]
        tags: [api]
  - id: T2
    phases:
      - id: wire
        category: feature_scaffolding
        needs: [store]
        goal: Wire it in.
        scope: {write: ["src/api/**"]}
"""


class Mistake(NamedTuple):
    name: str
    instead_of: str | None  # None: at the end of the file
    written: str
    code: str
    at: tuple[int, str]  # the line and the token
    said: str


MISTAKES = [
    Mistake(
        "a key too deep",
        "        complexity: low\n",
        "         complexity: low\n",
        "AP1015",
        (12, "complexity"),
        '"complexity" is indented deeper than the key above it | indent it like "category"',
    ),
    Mistake(
        "a key not deep enough",
        "        complexity: low\n",
        "       complexity: low\n",
        "AP1015",
        (12, "complexity"),
        "this does not fit the list it stands in | compare the indentation of this line with the lines above",
    ),
    Mistake(
        "a key too deep below a mapping",
        "        deliverables:",
        "         deliverables:",
        "AP1015",
        (19, "deliverables"),
        "this does not fit the mapping it stands in | compare the indentation of this line with the lines above",
    ),
    Mistake(
        "a tab",
        "        complexity: low\n",
        "\tcomplexity: low\n",
        "AP1009",
        (12, "\t"),
        "a tab where the indentation decides | indent with spaces",
    ),
    Mistake(
        "a tab behind spaces",
        "        complexity: low\n",
        "      \t  complexity: low\n",
        "AP1009",
        (12, "\t"),
        "a tab where the indentation decides | indent with spaces",
    ),
    Mistake(
        "a no-break space behind a colon",
        "complexity: low",
        "complexity:\xa0low",
        "AP1015",
        (12, "\xa0"),
        "U+00A0, a no-break space, where a space belongs | write a space",
    ),
    Mistake(
        "a no-break space before a key",
        "        complexity: low",
        "\xa0       complexity: low",
        "AP1015",
        (12, "\xa0"),
        "U+00A0, a no-break space, where a space belongs | write a space",
    ),
    Mistake(
        "no space behind a colon",
        "complexity: low",
        "complexity:low",
        "AP1015",
        (12, "complexity:low"),
        "a `:` without a space behind it | write `complexity: low`",
    ),
    Mistake(
        "no space behind a colon of an item",
        "      - id: wire",
        "      - id:wire",
        "AP1015",
        (24, "id:wire"),
        "a `:` without a space behind it | write `id: wire`",
    ),
    Mistake(
        "an equals sign",
        "complexity: low",
        "complexity = low",
        "AP1015",
        (12, "complexity = low"),
        "a `=` where a `:` belongs | write `complexity: low`",
    ),
    Mistake(
        "no space behind a dash",
        "            - tests/test_bucket.py",
        "            -tests/test_bucket.py",
        "AP1015",
        (18, "-"),
        "a `-` without a space behind it | write `- `",
    ),
    Mistake(
        "an item too deep",
        "            - tests/test_bucket.py",
        "             - tests/test_bucket.py",
        "AP1029",
        (18, "- tests/test_bucket.py"),
        "an item that became text of the one above, for it is indented deeper | indent both alike",
    ),
    Mistake(
        "an item not deep enough",
        "            - tests/test_bucket.py",
        "           - tests/test_bucket.py",
        "AP1015",
        (18, "-"),
        "this does not fit the mapping it stands in | compare the indentation of this line with the lines above",
    ),
    Mistake(
        "a text not deep enough",
        "          Add a token bucket to {{ inputs.service }}.",
        "        Add a token bucket.",
        "AP1015",
        (14, "Add"),
        'text of "goal" that is not indented | indent the text deeper than "goal"',
    ),
    Mistake(
        "text behind the pipe",
        "goal: |\n",
        "goal: | Well,\n",
        "AP1015",
        (13, "Well"),
        "text behind the `|` or `>` of a block | start the text on the next line",
    ),
    Mistake(
        "a header that is indented",
        "autopack: playbook/v1",
        " autopack: playbook/v1",
        "AP1015",
        (2, "name"),
        "this is indented less than the first line | indent both lines alike",
    ),
    Mistake(
        "a missing dash",
        "  - id: T2\n",
        "    id: T2\n",
        "AP1005",
        (22, "id"),
        'duplicate key "id" | keep one of the two, or begin its line with `- ` if it starts another item',
    ),
    Mistake(
        "a colon in a text",
        "goal: Wire it in.",
        "goal: Wire it in: now",
        "AP1015",
        (27, ":"),
        'a `:` makes a key of what stands where no key can be | put the text in quotes: "Wire it in: now"',
    ),
    Mistake(
        "a colon behind a text",
        "goal: Wire it in.",
        "goal: Wire it in:",
        "AP1015",
        (27, ":"),
        'a `:` makes a key of what stands where no key can be | put the text in quotes: "Wire it in:"',
    ),
    Mistake(
        "a colon and both quotes in a text",
        "goal: Wire it in.",
        'goal: Note: it\'s "here"',
        "AP1015",
        (27, ":"),
        "a `:` makes a key of what stands where no key can be | put the text in quotes",
    ),
    Mistake(
        "a number sign in a text",
        "goal: Wire it in.",
        "goal: Mend #12 in it.",
        "AP1027",
        (27, "#12 in it."),
        'a comment cuts off this text | if it is text: "Mend #12 in it."; else write `# `',
    ),
    Mistake(
        "a percent sign",
        "goal: Wire it in.",
        "goal: %wire",
        "AP1015",
        (27, "%wire"),
        'plain text cannot start with "%" | put the text in quotes',
    ),
    Mistake(
        "a backtick",
        "goal: Wire it in.",
        "goal: `wire` it in.",
        "AP1015",
        (27, "`wire`"),
        'plain text cannot start with "`" | put the text in quotes',
    ),
    Mistake(
        "an exclamation mark",
        "goal: Wire it in.",
        "goal: !wire it",
        "AP1006",
        (27, "!wire"),
        "custom tag !wire | remove it, or put text that starts with `!` in quotes; nothing is included",
    ),
    Mistake(
        "an at sign",
        "tags: [api]",
        "tags: [@api]",
        "AP1015",
        (21, "@api"),
        'plain text cannot start with "@" | put the text in quotes',
    ),
    Mistake(
        "a star",
        "- src/limiter/**",
        "- **/limiter.py",
        "AP1015",
        (17, "**/limiter.py"),
        "`*` without a name | put text that starts with `*` in quotes",
    ),
    Mistake(
        "curly quotes",
        "goal: Wire it in.",
        "goal: \u201cWire it in.\u201d",
        "AP1028",
        (27, "\u201cWire it in.\u201d"),
        'curly quotes are part of the text | write "Wire it in."',
    ),
    Mistake(
        "quotes not closed",
        "name: In-memory",
        'name: "In-memory',
        "AP1015",
        (10, '"In-memory'),
        "quotes that are not closed where they should be | close them on this line",
    ),
    Mistake(
        "quotes in braces not closed",
        'cost_usd: "5.00"',
        'cost_usd: "5.00',
        "AP1015",
        (4, '"5.00'),
        "quotes that are not closed where they should be | close them on this line",
    ),
    Mistake(
        "a bracket not closed",
        "tags: [api]",
        "tags: [api",
        "AP1015",
        (21, "["),
        "`[` is never closed | close it with `]`",
    ),
    Mistake(
        "a missing comma",
        "2_000_000, cost_usd",
        "2_000_000 cost_usd",
        "AP1015",
        (4, ":"),
        "a `,` or the `}` of this mapping is missing | add the one that is missing",
    ),
    Mistake(
        "a missing comma between texts",
        "tags: [api]",
        "tags: ['api' 'web']",
        "AP1015",
        (21, "'web'"),
        "a `,` or the `]` of this list is missing | add the one that is missing",
    ),
    Mistake(
        "a comment as in other languages",
        "tags: [api]",
        "tags: [api] // all",
        "AP1015",
        (21, "//"),
        "a `//` where a comment may begin | a comment begins with `#`",
    ),
    Mistake(
        "a backslash",
        "name: Storage",
        'name: "C:\\Storage"',
        "AP1015",
        (7, '\\Storage"'),
        "an escape that YAML does not know | use single quotes",
    ),
    Mistake(
        "a template without quotes",
        "goal: Wire it in.",
        "goal: {{ inputs.service }} wired",
        "AP1015",
        (27, "wired"),
        'text behind a template without quotes | put the whole text in quotes: "{{ ... }} ..."',
    ),
    Mistake(
        "a template as in a workflow",
        "{{ inputs.service }}",
        "${{ inputs.service }}",
        "AP3035",
        (14, "$"),
        "a `$` before a template stays in the text | remove it: templates are `{{ ... }}`",
    ),
    Mistake(
        "a template of an input without its family",
        "{{ inputs.service }}",
        "{{ service }}",
        "AP3020",
        (14, "service"),
        'unknown name "service" | write `inputs.service`',
    ),
    Mistake(
        "a template with a slip",
        "{{ inputs.service }}",
        "{{ inputs.servce }}",
        "AP3020",
        (14, "servce"),
        'unknown name "inputs.servce" | did you mean `service`?',
    ),
    Mistake(
        "a template not closed",
        "{{ inputs.service }}",
        "{{ inputs.service }",
        "AP3021",
        (14, "{{"),
        "`{{` is never closed | close it with `}}`",
    ),
    Mistake(
        "a merge of nothing",
        "complexity: low",
        "<<: *common",
        "AP1019",
        (12, "*common"),
        "no anchor &common above this alias | define it above this line: &common",
    ),
    Mistake(
        "a merge of text",
        "complexity: low",
        "<<: common",
        "AP1020",
        (12, "common"),
        "`<<` merges mappings: a mapping, an alias of one, or a list of these | write `<<: *name`",
    ),
    Mistake(
        "a mapping for a list",
        "      - id: wire\n",
        "      wire:\n",
        "AP2003",
        (24, "wire"),
        '"phases" is a mapping where a list belongs | write a list: one line for each item, which starts with `- `',
    ),
    Mistake(
        "a text for a list",
        "needs: [store]",
        "needs: store",
        "AP2004",
        (26, "store"),
        '"needs" is one piece of text where a list belongs | write `[store]`',
    ),
    Mistake(
        "words for a list",
        "needs: [store]",
        "needs: store, wire",
        "AP2004",
        (26, "store, wire"),
        '"needs" is one piece of text where a list belongs | write `[store, wire]`',
    ),
    Mistake(
        "round brackets",
        "tags: [api]",
        "tags: (api, web)",
        "AP2004",
        (21, "(api, web)"),
        '"tags" is one piece of text where a list belongs | write `[api, web]`',
    ),
    Mistake(
        "a list for a mapping",
        'scope: {write: ["src/api/**"]}',
        'scope: ["src/api/**"]',
        "AP2003",
        (28, "["),
        '"scope" is a list where a mapping belongs | write `{write: ["src/api/**"]}`',
    ),
    Mistake(
        "a text for a mapping",
        'scope: {write: ["src/api/**"]}',
        "scope: src/api/**",
        "AP2003",
        (28, "src/api/**"),
        '"scope" is text where a mapping belongs | write `{write: ["src/api/**"]}`',
    ),
    Mistake(
        "a word for a mapping",
        "tags: [api]",
        "builder: model",
        "AP2003",
        (21, "model"),
        '"builder" is text where a mapping belongs | write `{kind: model}`',
    ),
    Mistake(
        "a text for a mapping of two",
        "tags: [api]",
        "external: https://host/code",
        "AP2003",
        (21, "https://host/code"),
        '"external" is text where a mapping or null belongs | write `{source: ..., licence: ...}`',
    ),
    Mistake(
        "a command as text",
        "probes: [[python, -m, pytest, -q]]",
        "probes: [python -m pytest -q]",
        "AP2004",
        (20, "python -m pytest -q"),
        'an item of "probes" is one piece of text where a list belongs | write `[python, -m, pytest, -q]`',
    ),
    Mistake(
        "a command without its list",
        "probes: [[python, -m, pytest, -q]]",
        "probes: [python, -m, pytest, -q]",
        "AP2004",
        (20, "["),
        '"probes" is a list of words where a list of lists belongs | write `[[python, -m, pytest, -q]]`',
    ),
    Mistake(
        "hours",
        "minutes: 60",
        "minutes: 2h",
        "AP2003",
        (4, "2h"),
        '"minutes" is text where a whole number belongs | it counts minutes: write `120`',
    ),
    Mistake(
        "minutes twice",
        "minutes: 60",
        "minutes: 60 min",
        "AP2003",
        (4, "60 min"),
        '"minutes" is text where a whole number belongs | it counts minutes: write `60`',
    ),
    Mistake(
        "half a minute",
        "minutes: 60",
        "minutes: 30s",
        "AP2003",
        (4, "30s"),
        '"minutes" is text where a whole number belongs | it counts minutes: write a whole number of them',
    ),
    Mistake(
        "a number in quotes",
        "minutes: 60",
        'minutes: "60"',
        "AP2003",
        (4, '"60"'),
        '"minutes" is text where a whole number belongs | write `60` without quotes',
    ),
    Mistake(
        "millions",
        "tokens: 2_000_000",
        "tokens: 2M",
        "AP2003",
        (4, "2M"),
        '"tokens" is text where a whole number belongs | write `2_000_000`',
    ),
    Mistake(
        "thousands apart",
        "tokens: 2_000_000",
        "tokens: 2,000,000",
        "AP1018",
        (4, "2,000,000"),
        "commas tear this number apart | write `2_000_000`",
    ),
    Mistake(
        "thousands apart in quotes",
        "tokens: 2_000_000",
        'tokens: "2,000,000"',
        "AP2003",
        (4, '"2,000,000"'),
        '"tokens" is text where a whole number belongs | write `2_000_000`',
    ),
    Mistake(
        "a comma in an amount",
        'cost_usd: "5.00"',
        "cost_usd: 1,50",
        "AP1018",
        (4, "1,50"),
        "commas tear this number apart | write `1.50`",
    ),
    Mistake(
        "a comma in an amount in quotes",
        'cost_usd: "5.00"',
        'cost_usd: "1,50"',
        "AP2006",
        (4, '"1,50"'),
        '"cost_usd" is "1,50", which has the wrong form | write `"1.50"`',
    ),
    Mistake(
        "a currency",
        'cost_usd: "5.00"',
        "cost_usd: $5",
        "AP2006",
        (4, "$5"),
        '"cost_usd" is "$5", which has the wrong form | write `"5"`',
    ),
    Mistake(
        "curly quotes around an amount",
        'cost_usd: "5.00"',
        "cost_usd: \u201c5.00\u201d",
        "AP2006",
        (4, "\u201c5.00\u201d"),
        '"cost_usd" is "\u201c5.00\u201d", which has the wrong form | write `"5.00"`',
    ),
    Mistake(
        "a number for a name",
        "name: Storage",
        "name: 1.10",
        "AP2003",
        (7, "1.10"),
        '"name" is 1.10 where text belongs | write `"1.10"` if text is meant',
    ),
    Mistake(
        "a number for an id",
        "id: wire",
        "id: 007",
        "AP2003",
        (24, "007"),
        '"id" is 7 where text belongs | write `"007"` if text is meant',
    ),
    Mistake(
        "a letter of another alphabet",
        "id: wire",
        "id: wir\u0435",
        "AP2006",
        (24, "wir\u0435"),
        '"id" is "wir\u0435", which has the wrong form',
    ),
    Mistake(
        "a letter nobody sees",
        "id: wire",
        "id: wire\u200b",
        "AP2006",
        (24, "wire\u200b"),
        '"id" is "wire\u200b", which has the wrong form',
    ),
    Mistake(
        "a word in the wrong case",
        "complexity: low",
        "complexity: Low",
        "AP2005",
        (12, "Low"),
        '"complexity" is "Low", which is not one of its values | did you mean `low`? allowed: low, medium, high',
    ),
    Mistake(
        "a word with a slip",
        "complexity: low",
        "complexity: lwo",
        "AP2005",
        (12, "lwo"),
        '"complexity" is "lwo", which is not one of its values | did you mean `low`? allowed: low, medium, high',
    ),
    Mistake(
        "a key of the tier in a phase",
        "tags: [api]",
        "phases: []",
        "AP2001",
        (21, "phases"),
        'unknown key "phases" in this phase | it is a key of a budget or a tier',
    ),
    Mistake(
        "a key of the phase above",
        "inputs: {s",
        "category: docs\ninputs: {s",
        "AP2001",
        (3, "category"),
        'unknown key "category" in this file | it is a key of a phase',
    ),
    Mistake(
        "a key with a dash",
        "tags: [api]",
        "builder-mode: tweak_light",
        "AP2001",
        (21, "builder-mode"),
        'unknown key "builder-mode" in this phase | did you mean `builder_mode`?',
    ),
    Mistake(
        "another file of the same kind below",
        None,
        "---\nautopack: playbook/v1\n",
        "AP1004",
        (29, "---"),
        "a second document in one file | move it to a file of its own, or remove the `---`",
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.name for mistake in MISTAKES])
def test_a_mistake_is_told_once_where_it_is_with_what_to_write(tmp_path: Path, mistake: Mistake) -> None:
    old = mistake.instead_of
    text = PLAYBOOK + mistake.written if old is None else PLAYBOOK.replace(old, mistake.written, 1)
    (tmp_path / "limits.yaml").write_bytes(text.encode())
    (found,) = check(str(tmp_path), ["limits.yaml"], today="2026-11-22").problems
    assert found.span is not None
    line = text.split("\n")[found.span.line - 1]
    assert (found.code, found.span.line, found.span.end_line) == (mistake.code, mistake.at[0], mistake.at[0])
    assert line[found.span.column - 1 : found.span.end_column - 1] == mistake.at[1]
    assert f"{found.message} | {found.help}".startswith(mistake.said)


def test_without_any_the_playbook_is_in_order(tmp_path: Path) -> None:
    (tmp_path / "limits.yaml").write_text(PLAYBOOK)
    assert check(str(tmp_path), ["limits.yaml"], today="2026-11-22").problems == []
