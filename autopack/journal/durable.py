"""Files that are there whole or not at all."""

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

_TEMPORARY = re.compile(r"\.(?!cancel\.).+\.[a-z0-9_]{8}")  # as mkstemp is asked below; a cancel comes from anybody

DEVICES = ("/dev", "/proc")  # what has a name in there was opened by somebody else, who would miss a replacement


def write(path: Path, data: bytes | Iterable[bytes]) -> None:
    """A file of a run, readable by its owner only; its folders are made. Parts are taken one at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, data, 0o600)
    _sync_folder(path.parent)


def sweep(folder: Path) -> None:
    """Takes away what killed writers have left below a folder whose files are all made by `write`."""
    for path in folder.rglob(".*"):
        if _TEMPORARY.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def put(path: Path, data: bytes) -> None:
    """Where a user pointed: through links, into devices and pipes; a file keeps its mode, and no folder is made.

    Raises OSError.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG | 0o666 & ~_umask()
    if stat.S_ISREG(mode) and not any(path.absolute().is_relative_to(place) for place in DEVICES):
        _replace(Path(os.path.realpath(path)), data, stat.S_IMODE(mode))
    else:
        path.write_bytes(data)


def _replace(path: Path, data: bytes | Iterable[bytes], mode: int) -> None:
    """Through a temporary file, fsync and rename. An OSError names the file that was meant, not the temporary one."""
    import tempfile  # noqa: PLC0415 - a tenth of a start, for those who write

    name = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.writelines((data,) if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException as error:  # why: no temporary file stays, whatever ended it; raised again
        if name is not None:
            Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _sync_folder(folder: Path) -> None:
    """The new name is on the disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    """It can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
