"""The files that `autopack init` writes, by template."""

import json

from autopack.spec.schema import KINDS

PROJECT = """\
# yaml-language-server: $$schema=.autopack/schemas/project.v1.schema.json
autopack: project/v1
name: $name
playbooks: [playbooks/*.yaml]
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
jobs:
  validate:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.11"}
      - run: pip install autopack
      - run: autopack validate
      - run: autopack rehearse
"""

HOOK = """\
repos:
  - repo: local
    hooks:
      - id: autopack-validate
        name: autopack validate
        entry: autopack validate
        language: system
        files: (^autopack\\.yaml|^(playbooks|scenarios)/.*\\.ya?ml)$$
      - id: autopack-rehearse
        name: autopack rehearse
        entry: autopack rehearse
        language: system
        pass_filenames: false
        files: (^autopack\\.yaml|^(playbooks|scenarios)/.*\\.ya?ml)$$
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
        ".pre-commit-config.yaml": HOOK,
        ".vscode/settings.json": settings(),
    },
}
"""Template -> path -> text; `$name` stands for the project's name."""
