"""Source distributions of foreign packages, fetched once by pip from the index it is configured for, and kept.

What is fetched is pinned by its sha256, which pip checks before it runs anything of it.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path


class SourceMissing(Exception):
    """The index can't be reached, or doesn't hold that file; the message says what would help."""


@dataclass(frozen=True)
class Release:
    """One release of a package; `sha256` is that of its .tar.gz."""

    package: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        return f"{self.package}-{self.version}.tar.gz"


def unpacked(release: Release, into: Path, cache: Path) -> Path:
    """The release's tree in `into`, without the folder that archives put around it. Raises SourceMissing."""
    archive = cache / release.file
    if not _is_it(archive, release):
        _fetch(release, cache)
    with tarfile.open(archive) as opened, tempfile.TemporaryDirectory(dir=into.parent) as folder:
        opened.extractall(folder, filter="data")
        (top,) = Path(folder).iterdir()
        top.rename(into)
    return into


def _is_it(archive: Path, release: Release) -> bool:
    return archive.is_file() and hashlib.sha256(archive.read_bytes()).hexdigest() == release.sha256


def _fetch(release: Release, cache: Path) -> None:
    """By pip, because it knows where this machine's packages come from.

    It also asks the package for its metadata, with the build back end that is installed here; nothing is installed.
    """
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text(f"{release.package}=={release.version} --hash=sha256:{release.sha256}\n", encoding="utf-8")
        options = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--require-hashes", "--dest", folder]
        command = [sys.executable, "-m", "pip", "download", *options, "-r", str(wanted)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        fetched = Path(folder) / release.file
        if done.returncode or not _is_it(fetched, release):
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
            raise SourceMissing(
                f"this test needs {release.file} from a package index, once, and pip could not fetch it. "
                f"Connect to the network, or put the file into {cache}.\npip said:\n{said}"
            )
        fetched.replace(cache / release.file)
