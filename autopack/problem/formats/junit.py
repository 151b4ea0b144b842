"""JUnit's XML, as far as every server reads it: the elements and attributes of Jenkins' schema and no others.

An error is a test that failed. Warnings and infos are tests that were skipped: to be seen, and yet no red build where
`validate` itself says 0. There is always a test, because Jenkins takes a report without any for a failure.
"""

from collections import Counter
from itertools import groupby
from xml.etree import ElementTree as ET

from autopack.problem import Problem
from autopack.problem.formats import places
from autopack.problem.report import Report, escape, headline

SUITE = "autopack validate"


def text(report: Report) -> str:
    root = ET.Element("testsuites", {"name": SUITE, **_counts(report.problems)})
    if not report.problems:
        suite = ET.SubElement(root, "testsuite", name=SUITE, tests="1", failures="0", errors="0")
        ET.SubElement(suite, "testcase", name="no findings", classname=SUITE)
        root.set("tests", "1")
    for path, problems in groupby(report.problems, lambda found: found.span.path if found.span else ""):
        _suite(root, escape(places.path(report, path)) if path else SUITE, list(problems))
    properties = ET.Element("properties")
    for name in report.not_checked:
        ET.SubElement(properties, "property", name="not checked", value=escape(name))
    if len(properties):
        root[0].insert(0, properties)
    ET.indent(root)
    document: bytes = ET.tostring(root, "us-ascii", xml_declaration=True)
    return document.decode() + "\n"


def _suite(root: ET.Element, name: str, problems: list[Problem]) -> None:
    skipped = sum(found.severity != "error" for found in problems)
    suite = ET.SubElement(root, "testsuite", {"name": name, **_counts(problems), "skipped": str(skipped)})
    titles = Counter[str]()
    for found in problems:
        title = f"{found.code}: {escape(found.message)}"
        titles[title] += 1  # GitLab shows one test of those that are called the same
        case = ET.SubElement(suite, "testcase", name=_numbered(title, titles[title]), classname=name)
        verdict = "failure" if found.severity == "error" else "skipped"
        said = ET.SubElement(case, verdict, type=found.severity, message=escape(found.message))
        said.text = headline(found, color=False) + (f"\nhelp: {escape(found.help)}" if found.help else "")


def _numbered(title: str, number: int) -> str:
    return title if number == 1 else f"{title} ({number})"


def _counts(problems: list[Problem]) -> dict[str, str]:
    failed = Counter(found.severity for found in problems)["error"]
    return {"tests": str(len(problems)), "failures": str(failed), "errors": "0"}
