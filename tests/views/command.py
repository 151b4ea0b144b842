"""The program in a process of its own, as somebody in a folder would call it."""

import os
import subprocess
import sys
from pathlib import Path


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    argv = [sys.executable, "-m", "autopack", *arguments]
    env = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr
