"""The incident pack of a run that failed with secrets all over it."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.answers import reply, whole_file
from tests.end_to_end.scratch import ONE, cassette, hello, quick_ci, record

SECRETS = ("ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8", "AKIA" + "IOSFODNN7QWERTYU")


def test_the_pack_holds_no_secret_is_bounded_and_is_replayed_where_nothing_else_is(tmp_path: Path):
    """Planted in what the model says and in what CI prints, three megabytes of it."""
    said = "; ".join(f"echo {secret[:4]}''{secret[4:]}" for secret in SECRETS)  # a file that holds one is refused
    text = reply(f"a file {SECRETS[0]}", whole_file("src/hello/one.py", "ONE = 1\n"))
    files = {
        "ci.yaml": quick_ci("sh", "-c", f"{said}; head -c 3000000 /dev/zero | tr '\\000' x; exit 1"),
        "playbooks/one.yaml": ONE,
        "playbooks/one.cassette.jsonl": cassette([record("one", "builder", call, text) for call in (1, 2, 3)]),
    }
    project = hello(tmp_path, files)
    assert project.autopack("run", "playbooks/one.yaml", "--run-id", "r").code != 0
    pack = tmp_path / "elsewhere" / "pack"
    shutil.copytree(project.artifacts("r") / "incident", pack)
    shutil.rmtree(project.root)
    found = {path.name: path.read_bytes() for path in pack.rglob("*") if path.is_file()}
    assert {"README.md", "plan.json", "events.jsonl", "manifest.json"} <= found.keys()
    assert [name for name, data in found.items() for secret in SECRETS if secret.encode() in data] == []
    assert sum(map(len, found.values())) < 1_000_000
    words = [sys.executable, "-m", "autopack", "replay", str(pack)]
    again = subprocess.run(words, cwd=pack, env=project.environ, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "states compared, equal byte for byte" in again.stdout
