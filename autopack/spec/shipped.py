"""Where the files that ship with autopack are: `schemas`, `playbooks`, `rulesets`, `examples`."""

import os.path

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def folder(name: str) -> str:
    """The shipped folder: `autopack/_shipped/<name>` in an installation, beside the package in a checkout."""
    installed = os.path.join(_PACKAGE, "_shipped", name)
    return installed if os.path.isdir(installed) else os.path.join(os.path.dirname(_PACKAGE), name)
