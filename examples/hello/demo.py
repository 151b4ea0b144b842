"""The example build, in a scratch copy: a repository is made of this folder, and autopack builds the playbook on it.

No key and no network: the models' replies are scripted (playbooks/languages.cassette.jsonl). Gate, git, pytest, audit
and budgets are real.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
RUN_ID = "hello-1"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, help="an empty folder for the copy (default: a new temporary one)")
    into = parser.parse_args().into or Path(tempfile.mkdtemp(prefix="autopack-demo-"))
    copy = into / "hello"
    shutil.copytree(HERE, copy, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache", ".autonomous_runs"))
    _git(copy, "init", "-q", "-b", "main")
    _git(copy, "add", "-A")
    _git(copy, "commit", "-q", "-m", "hello 1.0")

    print("The example package with an unmet request, as a repository:", copy)
    print("The models' replies are scripted; everything else is real.\n", flush=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    run = [sys.executable, "-m", "autopack", "run", "playbooks/languages.yaml", "--run-id", RUN_ID]
    code = subprocess.run(run, cwd=copy, env=os.environ | {"PATH": path}, check=False).returncode

    print("\nWhere to look:")
    print(f"  git -C {copy} log --stat main..autonomous/{RUN_ID}")
    print(f"  git -C {copy} diff main autonomous/{RUN_ID}")
    print(f"  less {copy / '.autonomous_runs' / RUN_ID / 'run_summary.md'}")
    return code


def _git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=hello", "-c", "user.email=hello@localhost"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True)


if __name__ == "__main__":
    sys.exit(main())
