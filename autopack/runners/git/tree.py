"""What a tree is made of, which changes it may take, and how git spells them. Pure text.

Paths are str, bytes that aren't UTF-8 as surrogate escapes, as os.fsdecode does it.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from autopack.runners.git.errors import TreeRefused

FILE, PROGRAM, SYMLINK, SUBMODULE = "100644", "100755", "120000", "160000"
REGULAR = (FILE, PROGRAM)


class Entry(NamedTuple):
    """`blob` of a symlink holds its target, of a submodule it is a commit elsewhere (and `size` 0)."""

    path: str
    mode: str
    blob: str
    size: int

    @property
    def is_regular(self) -> bool:
        return self.mode in REGULAR

    @property
    def is_symlink(self) -> bool:
        return self.mode == SYMLINK

    @property
    def is_submodule(self) -> bool:
        return self.mode == SUBMODULE


class FileChange(NamedTuple):
    """The whole new content, or None to delete. `mode` None keeps the old one (a new file gets 100644)."""

    content: bytes | None
    mode: str | None = None


class Commit(NamedTuple):
    """`author` as `name <email>`, `at` in seconds since the epoch, `message` as it was written."""

    parents: tuple[str, ...]
    author: str
    at: int
    message: str


class Tag(NamedTuple):
    """An annotated tag: the object it names, and who says what when."""

    target: str
    message: str
    tagger: str
    at: int


class Stat(NamedTuple):
    """`paths` are all paths touched, old and new name of a rename both; `binary` those without line counts."""

    files: int
    added: int
    removed: int
    paths: tuple[str, ...]
    binary: tuple[str, ...]


def decoded(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def encoded(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def entries(listing: bytes) -> Iterator[Entry]:
    """From `ls-tree -r -z`, with sizes when it was asked for them (`-l`), else with -1."""
    for line in filter(None, listing.split(b"\0")):
        facts, _, path = line.partition(b"\t")
        mode, _, blob, *size = facts.decode().split()
        yield Entry(decoded(path), mode, blob, _size(size[0]) if size else -1)


def _size(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def raw_changes(listing: bytes) -> list[tuple[str, str | None, str]]:
    """Path, new mode (None: gone) and new blob, from `diff-index --raw -z` without renames."""
    fields = iter(listing.split(b"\0")[:-1])
    found = []
    for line in fields:
        _, mode, _, blob, *_ = line.decode().split()
        found.append((decoded(next(fields)), None if mode == "000000" else mode, blob))
    return found


def staged(listing: bytes) -> dict[str, str]:
    """Path -> mode, from `ls-files --stage -z`."""
    lines = [line.partition(b"\t") for line in listing.split(b"\0") if line]
    return {decoded(path): facts[:6].decode() for facts, _, path in lines}


def index_info(
    changes: Mapping[str, FileChange], blobs: Mapping[str, str], modes: Mapping[str, str], nothing: str
) -> bytes:
    """For `update-index -z --index-info`. Deletions first, so that a folder can take the place of a file."""
    gone = [
        b"0 %s\t%s\0" % (nothing.encode(), encoded(path)) for path, change in changes.items() if change.content is None
    ]
    new = [
        b"%s %s\t%s\0" % ((changes[path].mode or modes.get(path, FILE)).encode(), blob.encode(), encoded(path))
        for path, blob in blobs.items()
    ]
    return b"".join(gone + new)


def changed(
    present: Iterable[Entry], changes: Mapping[str, FileChange], written: Mapping[str, str]
) -> tuple[Entry, ...]:
    """What is listed once the changes are made; `written` are the blobs of what is new."""
    before = {entry.path: entry for entry in present}
    modes = {path: changes[path].mode or (before[path].mode if path in before else FILE) for path in written}
    new = (Entry(path, modes[path], blob, -1) for path, blob in written.items())
    kept = (entry for path, entry in before.items() if path not in changes)
    return tuple(sorted((*kept, *new), key=lambda entry: encoded(entry.path)))


def stat(numstat: bytes) -> tuple[Stat, bytes]:
    """From `diff-tree --numstat -z`: `added TAB removed TAB path NUL`, for a rename `... TAB NUL old NUL new NUL`.

    Beside it the patch, where that was asked for as well: it follows after one more NUL.
    """
    added = removed = files = 0
    paths: list[str] = []
    binary: list[str] = []
    counts, _, patch = numstat.partition(b"\0\0")
    fields = iter(counts.removesuffix(b"\0").split(b"\0") if counts else ())
    for line in fields:
        plus, minus, path = line.split(b"\t", 2)
        names = [decoded(path)] if path else [decoded(next(fields)), decoded(next(fields))]
        files += 1
        paths += names
        if plus == b"-":
            binary.append(names[-1])
        else:
            added += int(plus)
            removed += int(minus)
    return Stat(files, added, removed, tuple(sorted(paths)), tuple(sorted(binary))), patch


# What is refused --------------------------------------------------------------------------------------------------


def check(changes: Mapping[str, FileChange], modes: Mapping[str, str]) -> None:
    """Raise TreeRefused for a change that `modes` (path -> mode of the base) can't take."""
    for path, change in changes.items():
        _check_name(path)
        _check_kind(path, change, modes.get(path))
    written = [path for path, change in changes.items() if change.content is not None]
    files = (modes.keys() - changes.keys()).union(written)
    folders = _folders(files)
    for path in written:
        _check_place(path, files, folders, modes)
    _check_spelling([path for path in written if path not in modes], files | folders)


def _check_name(path: str) -> None:
    action = "Use a path relative to the repository's root, with forward slashes."
    try:
        encoded(path)
    except UnicodeEncodeError:
        raise TreeRefused(ascii(path), "is not a path: it holds half a character", action) from None
    parts = path.split("/")
    if "\0" in path or any(part in {"", ".", ".."} for part in parts):
        raise TreeRefused(path, "is not a path inside the repository", action)
    if any(part.casefold() == ".git" for part in parts):
        raise TreeRefused(path, "lies in git's own folder", "Leave .git alone.")


def _check_kind(path: str, change: FileChange, old: str | None) -> None:
    if change.content is None and old is None:
        raise TreeRefused(path, "can't be deleted: the base has no such file", "Delete what is there.")
    if change.mode is not None and change.mode not in REGULAR:
        raise TreeRefused(path, f"can't get the mode {change.mode}", f"Use {FILE}, or {PROGRAM} for a program.")
    if old == SUBMODULE:
        raise TreeRefused(path, "is a submodule", "Change it in its own repository.")
    if old == SYMLINK and change.content is not None:
        raise TreeRefused(path, "is a symbolic link", "Change the file that it points to, or delete the link first.")


def _check_place(path: str, files: set[str], folders: set[str], modes: Mapping[str, str]) -> None:
    if path in folders:
        raise TreeRefused(path, "is a folder", "Delete the files in it first, or choose another name.")
    for above in _above(path):
        if above in files:
            kind = {SYMLINK: "a symbolic link", SUBMODULE: "a submodule"}.get(modes.get(above, FILE), "a file")
            raise TreeRefused(path, f"lies below {above}, which is {kind}", "Choose a path below real folders.")


def _check_spelling(new: Sequence[str], names: Iterable[str]) -> None:
    """Two names that are one on macOS or Windows: the commit could not be checked out there."""
    wanted: dict[str, str] = {}
    for path in new:
        for name in (path, *_above(path)):
            _check_same(wanted.setdefault(_folded(name), name), name)
    if wanted:
        for name in names:
            _check_same(wanted.get(_folded(name), name), name)


def _check_same(new: str, name: str) -> None:
    if new != name:
        raise TreeRefused(new, f"differs from {name} in case or accents only", f"Write {name}, or delete it first.")


def _folded(name: str) -> str:
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


def _folders(files: Iterable[str]) -> set[str]:
    found = {path.rpartition("/")[0] for path in files}
    return {name for folder in found for name in (folder, *_above(folder))} - {""}


def _above(path: str) -> Iterator[str]:
    """The folders it lies in, nearest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def commit(raw: bytes) -> Commit:
    """From the object's own bytes."""
    head, _, message = raw.decode("utf-8", "replace").partition("\n\n")
    lines = [line.partition(" ")[::2] for line in head.split("\n")]
    author, at = _who(dict(lines).get("author", ""))
    return Commit(tuple(value for name, value in lines if name == "parent"), author, at, message)


def tag(raw: bytes) -> Tag:
    head, _, message = raw.decode("utf-8", "replace").partition("\n\n")
    facts = dict(line.partition(" ")[::2] for line in head.split("\n"))
    tagger, at = _who(facts.get("tagger", ""))
    return Tag(facts.get("object", ""), message, tagger, at)


def _who(line: str) -> tuple[str, int]:
    """`name <email> seconds zone`."""
    who, _, rest = line.rpartition("> ")
    seconds = rest.partition(" ")[0]
    return f"{who}>", int(seconds) if seconds.isdecimal() else 0
