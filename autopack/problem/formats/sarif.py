"""SARIF 2.1.0, as code scanning reads it. Lines and columns are ours: from 1, code points, the end exclusive.

Braces of a message are not doubled, though the standard asks for it: GitHub shows them as they are, and `{{{{ x }}}}`
would be wrong advice there.
"""

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

import autopack
from autopack.problem import Problem, Span
from autopack.problem.codes import CODES, layer
from autopack.problem.formats import places
from autopack.problem.report import Report, Sources, escape

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}
FINGERPRINT = "autopackFinding/v1"
MEANT = re.compile("did you mean `([^`]+)`")
QUOTED = re.compile(r'"([^"]*)"[^"]*\Z')  # the last quotation

Json = dict[str, object]


def text(report: Report) -> str:
    codes = sorted({found.code for found in report.problems})
    driver: Json = {
        "name": "autopack",
        "semanticVersion": autopack.__version__,
        "rules": [_rule(code) for code in codes],
    }
    run: Json = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {ROOT: {"description": _message("The root of the repository.")}},
        "invocations": [_invocation(report.not_checked)],
        "results": list(_results(report, codes)),
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(code: str) -> Json:
    title, severity, why = CODES[code]
    example = f"`autopack explain {code}` shows an example and how to mend it."
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in re.findall(r"[^\W_]+", title)),
        "shortDescription": {"text": title},
        "fullDescription": {"text": why},
        "help": {"text": f"{why}\n{example}", "markdown": f"{why}\n\n{example}"},
        "defaultConfiguration": {"level": LEVELS[severity]},
        "properties": {"tags": [layer(code)]},
    }


def _invocation(not_checked: Iterable[str]) -> Json:
    notes = [{"level": "note", "message": _message(f"not checked: {name}")} for name in not_checked]
    return {"executionSuccessful": True, "toolExecutionNotifications": notes}


def _results(report: Report, codes: list[str]) -> Iterator[Json]:
    texts = Sources(report.sources)
    for found, fingerprint in zip(report.problems, places.fingerprints(report), strict=True):
        related = [
            {"id": number, "message": _message(label.text), **_location(report, label.span)}
            for number, label in enumerate(found.labels, 1)
        ]
        yield {
            "ruleId": found.code,
            "ruleIndex": codes.index(found.code),
            "level": LEVELS[found.severity],
            "message": _message(f"{found.message}\nhelp: {found.help}" if found.help else found.message),
            "locations": [_location(report, found.span or places.NOWHERE)],
            **({"relatedLocations": related} if related else {}),
            "partialFingerprints": {FINGERPRINT: fingerprint},
            **_fixes(report, texts, found),
        }


def _message(words: str) -> Json:
    """`[words](1)` would be a link, and the words may come from a file."""
    lines = words.replace("](", "] (").split("\n")
    return {"text": "\n".join(map(escape, lines))}


def _location(report: Report, span: Span) -> Json:
    location: Json = {"physicalLocation": {"artifactLocation": _artifact(report, span), "region": _region(span)}}
    if name := report.names.get(span):
        location["logicalLocations"] = [{"fullyQualifiedName": escape(name), "kind": "property"}]
    return location


def _artifact(report: Report, span: Span) -> Json:
    """A name that is no UTF-8 keeps its bytes."""
    uri = quote(places.path(report, span.path).encode("utf-8", "surrogateescape"))
    return {"uri": uri, "uriBaseId": ROOT}


def _region(span: Span) -> Json:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _fixes(report: Report, texts: Sources, found: Problem) -> Json:
    """What was meant, in place of the token; only where the token is what the message quotes last, or its last part."""
    meant, quoted = MEANT.match(found.help or ""), QUOTED.search(found.message)
    if meant is None or quoted is None or found.span is None:
        return {}
    written = places.token(texts, found.span)
    word = written.strip("\"'")
    if not word or not f".{quoted[1]}".endswith(f".{word}"):
        return {}
    replacement = {
        "deletedRegion": _region(found.span),
        "insertedContent": {"text": written.replace(word, meant[1])},
    }
    change = {"artifactLocation": _artifact(report, found.span), "replacements": [replacement]}
    return {"fixes": [{"description": _message(f"write `{meant[1]}`"), "artifactChanges": [change]}]}
