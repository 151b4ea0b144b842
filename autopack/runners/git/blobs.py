"""Contents of files, many at once: one git for all that are read, one for all that are written."""

import os
from collections.abc import Iterator, Mapping, Sequence

from autopack.runners.git.command import Git
from autopack.runners.git.errors import GitFailed
from autopack.runners.git.tree import FileChange


def read(git: Git, blobs: Sequence[str]) -> dict[str, bytes]:
    """Blob -> its content."""
    if not blobs:
        return {}
    out = git.run("cat-file", "--batch", "--buffer", given="\n".join(blobs).encode() + b"\n").out
    return dict(_parted(git.place, blobs, out))


def sizes(git: Git, blobs: Sequence[str]) -> dict[str, int]:
    """Blob -> its bytes; one that is missing has none, and is missed when it is read."""
    if not blobs:
        return {}
    asked = "".join(f"{blob}\n" for blob in blobs).encode()
    lines = git.run("cat-file", "--batch-check=%(objectname) %(objectsize)", given=asked).text.split("\n")
    found = (line.split() for line in lines)
    return {blob: int(size) if size.isdecimal() else 0 for blob, size in found}


def _parted(place: str, blobs: Sequence[str], out: bytes) -> Iterator[tuple[str, bytes]]:
    """Each answer is `<id> blob <size> LF <content> LF`."""
    at = 0
    for blob in blobs:
        end = out.index(b"\n", at)
        facts = out[at:end].split()
        if facts[1] != b"blob":
            action = "In a partial clone, fetch what is missing: git fetch --refetch --no-filter."
            raise GitFailed(place, f"the object {blob} is missing", action)
        at = end + 1 + int(facts[2])
        yield blob, out[end + 1 : at]
        at += 1


def write(git: Git, changes: Mapping[str, FileChange]) -> dict[str, str]:
    """Path -> blob. Contents go through files in the scratch folder, so that one git writes them all."""
    contents = {path: change.content for path, change in changes.items() if change.content is not None}
    if not contents:
        return {}
    names = [f"blob-{number}" for number in range(len(contents))]
    for name, content in zip(names, contents.values(), strict=True):
        with open(os.path.join(git.folder, name), "wb") as file:
            file.write(content)
    given = "".join(f"{name}\n" for name in names).encode()
    blobs = git.run("hash-object", "-w", "--no-filters", "--stdin-paths", given=given).text.split()
    return dict(zip(contents, blobs, strict=True))
