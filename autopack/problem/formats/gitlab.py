"""GitLab's code quality report: a list of issues, known again by their fingerprints."""

import json

from autopack.problem import Problem
from autopack.problem.formats import places
from autopack.problem.report import Report, escape

SEVERITIES = {"error": "major", "warning": "minor", "info": "info"}


def text(report: Report) -> str:
    rows = zip(report.problems, places.fingerprints(report), strict=True)
    return json.dumps([_issue(report, found, fingerprint) for found, fingerprint in rows], indent=2) + "\n"


def _issue(report: Report, found: Problem, fingerprint: str) -> dict[str, object]:
    span = found.span or places.NOWHERE
    return {
        "description": escape(f"{found.message} - {found.help}" if found.help else found.message),
        "check_name": found.code,
        "fingerprint": fingerprint,
        "severity": SEVERITIES[found.severity],
        "location": {
            "path": escape(places.path(report, span.path)),
            "lines": {"begin": span.line, "end": span.end_line},
        },
    }
