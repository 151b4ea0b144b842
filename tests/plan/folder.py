"""Plans from files, as a person writes them: a folder with a project, its playbook and what they name."""

from dataclasses import dataclass
from pathlib import Path

from autopack.plan import compiler
from autopack.plan.backlog import EMPTY, Backlog
from autopack.plan.model import Plan
from autopack.problem import Problem, Span
from autopack.spec.load import load
from autopack.spec.model import Spec

HEAD = "autopack: playbook/v1\nname: p\n"


@dataclass(frozen=True)
class Folder:
    """`write` takes the lines after each header; `phase` is one phase of a playbook with what is said of it."""

    root: Path

    def file(self, name: str, text: str) -> "Folder":
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text, encoding="utf-8")
        return self

    def project(self, **keys: str) -> "Folder":
        lines = {"name": "shop", "ci": "builtin:python", "models": "builtin:replay", **keys}
        return self.file("autopack.yaml", "autopack: project/v1\n" + "".join(f"{k}: {v}\n" for k, v in lines.items()))

    def ruleset(self, text: str, **keys: str) -> "Folder":
        return self.file("rules.yaml", f"autopack: ruleset/v1\nname: house\n{text}").project(
            ruleset="rules.yaml", **keys
        )

    def models(self, text: str, **keys: str) -> "Folder":
        return self.file("models.yaml", f"autopack: models/v1\nname: house\n{text}").project(
            models="models.yaml", **keys
        )

    def playbook(self, text: str) -> "Folder":
        return self.file("p.yaml", HEAD + text)

    def phases(self, *phases: str, head: str = "") -> "Folder":
        """One tier with these phases, each a flow mapping without goal and scope."""
        return self.playbook(head + "tiers:\n  - id: T1\n    phases:\n" + "".join(line(each) for each in phases))

    def spec(self) -> Spec:
        spec, problems = load(str(self.root), "p.yaml")
        assert spec is not None, [f"{each.code} {each.message}" for each in problems]
        return spec

    def compile(self, jobs: int | None = None, backlog: Backlog = EMPTY) -> tuple[Plan | None, list[Problem]]:
        return compiler.compile(self.spec(), jobs=jobs, backlog=backlog)

    def plan(self, jobs: int | None = None, backlog: Backlog = EMPTY) -> Plan:
        plan, problems = self.compile(jobs, backlog)
        assert plan is not None, [f"{each.code} {each.message}" for each in problems]
        return plan

    def found(self, code: str) -> list[Problem]:
        return [each for each in self.compile()[1] if each.code == code]

    def under(self, span: Span | None) -> str:
        """The characters that a finding points at."""
        assert span is not None
        lines = (self.root / span.path).read_text(encoding="utf-8").splitlines()
        assert span.line == span.end_line
        return lines[span.line - 1][span.column - 1 : span.end_column - 1]


def line(phase: str) -> str:
    return f"      - {{{phase}, goal: do it, scope: {{write: [src/a.py]}}}}\n"
