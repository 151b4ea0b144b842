"""What a check costs before it says anything: which modules it needs, and that it reaches for no network."""

import subprocess
import sys
from pathlib import Path

import pytest

from autopack.spec import shipped
from tests.spec.marks import phase, playbook

PACKAGE_ROOT = Path(shipped.__file__).parents[2]
OF_JSONSCHEMA = {
    "contextlib",
    "dataclasses",
    "inspect",
    "json",
    "jsonschema",
    "pathlib",
    "referencing",
    "socket",
    "typing",
    "urllib.request",
}
SLOW = {
    *("asyncio", "click", "git", "jinja2", "jsonschema_rs", "litellm", "networkx", "sqlalchemy", "subprocess"),
    *("autopack.plan", "autopack.run", "autopack.journal", "autopack.spec.model", "autopack.spec.paths"),
    *OF_JSONSCHEMA,
}
SCRIPT = """
import sys
sys.addaudithook(lambda event, args: event.startswith("socket.") and sys.exit(f"a socket: {event} {args}"))
from autopack.spec.load import check
found = check(sys.argv[1], sys.argv[2:])
print(",".join(problem.code for problem in found.problems))
print(",".join(sys.modules))
"""


def started(folder: Path, name: str) -> tuple[list[str], set[str]]:
    """Codes found in a file by a new interpreter, and every module it imported."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(folder), name],
        cwd=PACKAGE_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    codes, modules = done.stdout.splitlines()
    return [code for code in codes.split(",") if code], set(modules.split(","))


def test_a_valid_playbook_of_25_phases_is_checked_without_any_slow_import(tmp_path: Path) -> None:
    phases = [
        phase(f"p{number}", f"needs: [p{number - 1}], ci: normal, complexity: low, deliverables: [docs/p{number}.md]")
        for number in range(1, 25)
    ]
    (tmp_path / "p.yaml").write_text(playbook(phase("p0"), *phases), encoding="utf-8")
    codes, modules = started(tmp_path, "p.yaml")
    assert codes == []
    assert modules & SLOW == set()


def test_only_a_fault_of_the_schema_pays_for_jsonschema(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(playbook(phase("p0", "needs: [p1], nmae: x")), encoding="utf-8")
    codes, modules = started(tmp_path, "p.yaml")
    assert codes == ["AP3002", "AP2001"]
    assert modules & (SLOW - OF_JSONSCHEMA) == set()
    assert "jsonschema" in modules


@pytest.mark.parametrize(("text", "pays"), [("{{ project.name }}", False), ("{{ project.name | upper }}", True)])
def test_only_a_template_that_is_more_than_a_name_pays_for_jinja2(tmp_path: Path, text: str, pays: bool) -> None:
    text = playbook(phase("p0").replace("Do it.", f'"{text}"'))
    (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
    codes, modules = started(tmp_path, "p.yaml")
    assert codes == []
    assert ("jinja2" in modules) is pays
    assert not {"jsonschema", "litellm", "git", "networkx", "sqlalchemy", "click"} & modules
