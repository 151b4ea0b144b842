"""The files that `autopack init` writes, by template."""

import json
import re
import shlex

from autopack.spec.scalars import WORDS
from autopack.spec.schema import KINDS

PROJECT = """\
# yaml-language-server: $$schema=.autopack/schemas/project.v1.schema.json
autopack: project/v1
name: $name
${branches}playbooks: [playbooks/*.yaml]
ruleset: builtin:default
ci: builtin:python
models: builtin:openai        # reads the key from OPENAI_API_KEY; builtin:local needs none
"""

PLAYBOOK = """\
# yaml-language-server: $$schema=../.autopack/schemas/playbook.v1.schema.json
autopack: playbook/v1
name: first
description: A first build; replace the goals with your own.
tiers:
  - id: T1
    name: First steps
    phases:
      - id: readme
        goal: |
          Add a section "Development" to README.md that says how to run the tests.
        category: docs
        scope: {write: [README.md]}
        deliverables: [README.md]
"""

SCENARIO = """\
# yaml-language-server: $$schema=../.autopack/schemas/scenario.v1.schema.json
autopack: scenario/v1
name: CI is red once, and the next attempt repairs it
playbook: playbooks/first.yaml
answers:
  readme: {builder: [ok], ci: [red, green]}   # in order; the last one repeats
expect:
  state: DONE_SUCCESS
  path: {readme: [EXECUTING, GATE, CI_RUNNING, EXECUTING, GATE, CI_RUNNING, GATE, COMPLETE]}
  builder_calls: {readme: 2}
  cost_usd_max: "0.10"
"""

WORKFLOW = """\
name: autopack
on: [push, pull_request]
${defaults}jobs:
  validate:
    runs-on: ubuntu-latest
    env: {AUTOPACK: $source}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.11"}
      - name: Install autopack
        run: |
          if [ -z "$$AUTOPACK" ]; then
            echo "::error::set the repository variable AUTOPACK: git+https://HOST/OWNER/autopack@COMMIT"
            exit 1
          fi
          python -m pip install --quiet "$$AUTOPACK"
      - run: autopack validate
      - run: autopack rehearse
"""

HOOKS = ".pre-commit-config.yaml"
HOOK = """\
repos:
  - repo: local
    hooks:
      - id: autopack-validate
        name: autopack validate
        entry: autopack validate$project
        language: system
        pass_filenames: false         # the whole project: a change of its rules can be wrong for every playbook
        files: $files
      - id: autopack-rehearse
        name: autopack rehearse
        entry: autopack rehearse$scenarios
        language: system
        pass_filenames: false
        files: $files
"""

FILES = {  # where the files of a kind usually are, as in .pre-commit-hooks.yaml
    "project": ["autopack.yaml"],
    "playbook": ["playbooks/*.yaml", "playbooks/*.yml"],
    "tier": ["tiers/*.yaml", "tiers/*.yml"],
    "phase": ["phases/*.yaml", "phases/*.yml"],
    "ruleset": ["rulesets/*.yaml", "rulesets/*.yml"],
    "ci": ["ci.yaml", "ci/*.yaml", "ci/*.yml"],
    "models": ["models.yaml", "models/*.yaml", "models/*.yml"],
    "scenario": ["scenarios/*.yaml", "scenarios/*.yml"],
}


def settings() -> str:
    """For editors that explain YAML by schemas: which schema explains which files, modelines or not."""
    schemas = {f"./.autopack/schemas/{kind}.v1.schema.json": FILES[kind] for kind in KINDS}
    return json.dumps({"yaml.schemas": schemas}, indent=2) + "\n"


TEMPLATES = {
    "python": {
        "autopack.yaml": PROJECT,
        "playbooks/first.yaml": PLAYBOOK,
        "scenarios/first.yaml": SCENARIO,
        ".github/workflows/autopack.yml": WORKFLOW,
        HOOKS: HOOK,
        ".vscode/settings.json": settings(),
    },
}
"""Template -> path -> text, with the words of `words` to fill in."""


def to_add(hooks: str) -> str:
    """What to add to a pre-commit configuration that is there already."""
    return hooks.removeprefix("repos:\n").rstrip("\n")


def words(name: str, inside: str, base: str | None, source: str | None) -> dict[str, str]:
    """`inside` is the project's folder in its repository, "" at the top; `base` a branch other than main; `source`
    what pip installs autopack from, None where only the repository's owner can say it.
    """
    files = r"\.ya?ml$"
    found = {"name": name, "branches": "", "defaults": "", "project": "", "scenarios": "", "files": files}
    found["source"] = json.dumps(source or "${{ vars.AUTOPACK }}")
    if base is not None:
        written = _scalar(base)
        protected = ", ".join(dict.fromkeys([written, "main", "master", '"release/*"']))
        found["branches"] = f"base_branch: {written}\nprotected_branches: [{protected}]\n"
    if inside:
        found["defaults"] = f"defaults:\n  run: {{working-directory: {json.dumps(inside)}}}\n"
        found["project"] = f" {shlex.quote(inside)}"
        found["scenarios"] = f" {shlex.quote(f'{inside}/scenarios')}"
        found["files"] = json.dumps(f"^{re.escape(inside)}/.*{files}")
    return found


def _scalar(word: str) -> str:
    """As YAML: in quotes where it could be read as something else."""
    return word if re.fullmatch(r"[A-Za-z][A-Za-z0-9/_.-]*", word) and word not in WORDS else json.dumps(word)
