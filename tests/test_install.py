"""autopack as people get it: built, installed in an environment of its own, used in a folder far from the checkout."""

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

import autopack

CHECKOUT = Path(__file__).parent.parent
SHIPPED = ("schemas", "playbooks", "rulesets", "examples")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution, which shows on the way that it holds all that a build needs."""
    folder = tmp_path_factory.mktemp("dist")
    _python(["-m", "hatchling", "build", "-t", "sdist", "-d", str(folder)], cwd=CHECKOUT)
    (source,) = folder.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / source.name.removesuffix(".tar.gz")
    _python(["-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=unpacked)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def autopack_elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The launcher of a fresh environment that holds the wheel, and whose dependencies the tests' environment lends.

    They are lent by a plain line in a .pth file: unlike in a `site` folder, .pth files found there are not followed, so
    that an editable installation of this checkout stays out of sight.
    """
    folder = tmp_path_factory.mktemp("environment with spaces")
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    lenders = [path for path in sys.path if path.endswith("-packages")]
    (packages / "lent.pth").write_text("\n".join(lenders))
    python = folder / "bin" / "python"
    _python(["-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index", str(wheel)], cwd=folder)
    return folder / "bin" / "autopack"


def test_the_wheel_holds_the_package_and_what_it_ships(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    expected = {f"autopack/{path}" for path in _files("autopack")}
    expected |= {f"autopack/_shipped/{folder}/{path}" for folder in SHIPPED for path in _files(folder)}
    info = f"autopack-{autopack.__version__}.dist-info"
    expected |= {f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")}
    assert inside == expected


def test_what_was_initialised_validates_and_plans(autopack_elsewhere: Path, tmp_path: Path):
    initialised = _run(autopack_elsewhere, ["init"], tmp_path)
    assert (initialised.returncode, initialised.stderr) == (0, "")
    assert "autopack: project/v1" in (tmp_path / "autopack.yaml").read_text()

    validated = _run(autopack_elsewhere, ["validate", "--format", "json"], tmp_path)
    assert (validated.returncode, validated.stderr) == (0, "")
    verdict = json.loads(validated.stdout)
    assert verdict["findings"] == []
    assert verdict["summary"]["files"] >= 2

    (playbook,) = (tmp_path / "playbooks").glob("*.yaml")
    planned = _run(autopack_elsewhere, ["plan", str(playbook.relative_to(tmp_path)), "--json"], tmp_path)
    assert (planned.returncode, planned.stderr) == (0, "")
    plan = json.loads(planned.stdout)
    assert f"\nname: {plan['playbook']}\n" in playbook.read_text()
    assert plan["phases"]


def test_a_second_init_changes_nothing(autopack_elsewhere: Path, tmp_path: Path):
    _run(autopack_elsewhere, ["init"], tmp_path)
    (tmp_path / "autopack.yaml").write_text("mine\n")
    again = _run(autopack_elsewhere, ["init"], tmp_path)
    assert (tmp_path / "autopack.yaml").read_text() == "mine\n"
    assert "autopack.yaml" in again.stdout + again.stderr


def test_a_fault_is_placed_and_exits_with_1(autopack_elsewhere: Path, tmp_path: Path):
    _run(autopack_elsewhere, ["init"], tmp_path)
    (tmp_path / "playbooks" / "broken.yaml").write_text("autopack: playbook/v1\nname: broken\ntears: []\n")
    validated = _run(autopack_elsewhere, ["validate"], tmp_path)
    assert validated.returncode == 1
    assert "playbooks/broken.yaml:3:1: error[AP2" in validated.stdout


def test_the_version_needs_nothing_but_the_interpreter(autopack_elsewhere: Path, tmp_path: Path):
    asked = _run(autopack_elsewhere, ["--version"], tmp_path)
    assert (asked.returncode, asked.stdout) == (0, f"autopack {autopack.__version__}\n")
    # -S and -I: no site-packages, no environment; only the checkout's folder is put back
    told = f"import sys; sys.path.append({str(CHECKOUT)!r}); from autopack.__main__ import main; sys.exit(main(['-V']))"
    alone = _python(["-S", "-I", "-X", "importtime", "-c", told], cwd=tmp_path)
    assert alone.stdout == f"autopack {autopack.__version__}\n"
    bare = _python(["-S", "-I", "-X", "importtime", "-c", "pass"], cwd=tmp_path)
    assert _imported(alone.stderr) - _imported(bare.stderr) <= {"autopack", "autopack.__main__", *_PATH_MODULES}


# `-S` leaves out what any other start has loaded before us; gc is part of the interpreter
_PATH_MODULES = {"gc", "os", "posixpath", "genericpath", "stat", "_stat", "_collections_abc"}


def test_a_reader_that_has_left_ends_it_without_a_word(autopack_elsewhere: Path, tmp_path: Path):
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run([autopack_elsewhere, "--version"], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (ended.returncode, ended.stderr) == (141, b"")


def _files(folder: str) -> list[str]:
    found = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "."],
        cwd=CHECKOUT / folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for path in found.stdout.split("\0") if path]


def _run(program: Path, arguments: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), *arguments], cwd=cwd, capture_output=True, text=True, check=False, env=_plain()
    )


def _python(arguments: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=True, env=_plain()
    )


def _plain() -> dict[str, str]:
    """The environment without what would lead to this checkout, or change the form of the output."""
    foreign = ("PYTHON", "GITHUB_", "VIRTUAL_ENV", "NO_COLOR")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def _imported(trace: str) -> set[str]:
    return {line.rpartition("|")[2].strip() for line in trace.splitlines() if line.startswith("import time:")}
