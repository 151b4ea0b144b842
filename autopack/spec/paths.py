"""Paths of a repository and the patterns that speak about them: what may be named at all, and what matches what.

Knows text only, no file system. Paths are relative to the repository's root, with forward slashes.

Patterns are anchored at the root. `*` and `?` stay inside one segment, `[abc]` and `[!abc]` are sets, `**` as a whole
segment stands for any number of segments, a trailing slash for everything below. `src/**` holds what is in `src`, not
`src` itself. A pattern that starts with `!` takes back what the ones before it gave; the last one that matches
decides. A pattern also matches the path that is spelled exactly like it, so `app/[slug]/page.tsx` needs no escape.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from autopack.spec.patterns import put_off

_PATH_CHARS_MAX = 1024
_SEGMENT_BYTES_MAX = 255
_NOT_IN_NAMES = put_off(r'[<>:"|?*]')
_RESERVED = put_off(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])", re.IGNORECASE)
_SHORT_GIT = put_off(r"git~[0-9]+")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # control, format, surrogate, line and paragraph separators
_SECRET_LIKE = (
    "**/.env",
    "**/.env.*",
    "**/*.env",
    "**/.envrc",
    "**/*.pem",
    "**/*.key",
    "**/*.p12",
    "**/*.pfx",
    "**/*.jks",
    "**/*.keystore",
    "**/*.kdbx",
    "**/id_rsa*",
    "**/id_dsa*",
    "**/id_ecdsa*",
    "**/id_ed25519*",
    "**/.netrc",
    "**/_netrc",
    "**/.pypirc",
    "**/.npmrc",
    "**/.htpasswd",
    "**/.git-credentials",
    "**/.docker/config.json",
    "**/.aws/**",
    "**/.ssh/**",
    "**/.gnupg/**",
    "!**/*.pub",
    "!**/.env.example",
    "!**/.env.sample",
    "!**/.env.template",
    "!**/.env.dist",
)


def matches(path: str, patterns: Iterable[str], *, ignore_case: bool = False) -> bool:
    """Whether the last pattern that speaks about `path` gives it. `ignore_case` is for what must not be touched."""
    subject = _fold(path) if ignore_case else path
    given = False
    for pattern in patterns:
        taken_back = pattern.startswith("!")
        if given == taken_back:  # only then can this pattern change the answer
            wanted = pattern[1:] if taken_back else pattern
            if _matcher(_fold(wanted) if ignore_case else wanted)(subject):
                given = not taken_back
    return given


def is_secret_like(path: str) -> bool:
    """Whether a file of this name usually holds credentials: never shown to a model, never written unless granted."""
    return matches(path, _SECRET_LIKE, ignore_case=True)


def fault(path: str) -> str | None:
    """Why no edit and no scope may name this path, in words that follow the path; None when it may.

    Refuses what leaves the repository, what git or a file system would take for its own folder (`.GIT`, `git~1`,
    `.git `), and what people can't see when they read the patch.
    """
    if not path:
        return "is empty"
    if len(path) > _PATH_CHARS_MAX:
        return f"is longer than {_PATH_CHARS_MAX} characters"
    if not (path.isascii() and path.isprintable()) and _hidden(path):
        return "holds a control or invisible character"
    if "\\" in path:
        return "holds a backslash: paths are written with forward slashes"
    if path.startswith("/") or (path[1:2] == ":" and path[0].isascii() and path[0].isalpha()):
        return "is absolute: paths are relative to the repository's root"
    return _first(_fault_of_segment(segment) for segment in path.split("/"))


def _hidden(path: str) -> bool:
    import unicodedata  # noqa: PLC0415 - nearly every path is plain ASCII

    return any(unicodedata.category(char) in _INVISIBLE for char in path)


def unportable(path: str) -> str | None:
    """Why a new file had better not be called so, though git would take it; None when nothing speaks against it."""
    return _first(_unportable_segment(segment) for segment in path.split("/"))


def spelling(path: str) -> str:
    """Equal for two paths that a case-insensitive or Unicode-normalising file system takes for one."""
    return _fold(path if path.isascii() else _normalized("NFC", path))


def _first(reasons: Iterable[str | None]) -> str | None:
    return next(filter(None, reasons), None)


def _fault_of_segment(segment: str) -> str | None:
    if segment in ("", "."):
        return "is not normalised: no empty segment, no `.`, no slash at the end"
    if segment == "..":
        return "leaves its folder with `..`"
    if _is_git(segment):
        return "enters `.git`"
    return None


def _unportable_segment(segment: str) -> str | None:
    if segment[-1:] in (" ", ".") or segment[:1] == " ":
        return "has a segment that starts with a space or ends with a space or a full stop"
    if _NOT_IN_NAMES.search(segment):
        return 'holds one of < > : " | ? *'
    if _RESERVED.fullmatch(segment.partition(".")[0].rstrip(" ")):
        return f"uses a name that Windows reserves ({segment})"
    if len(segment.encode()) > _SEGMENT_BYTES_MAX:
        return f"has a segment of more than {_SEGMENT_BYTES_MAX} bytes"
    return None


def _is_git(segment: str) -> bool:
    """As the strictest of the file systems sees it: case, compatibility forms, short names, streams, final dots."""
    seen = (segment if segment.isascii() else _normalized("NFKC", segment)).casefold().split(":")[0].rstrip(" .")
    return seen == ".git" or _SHORT_GIT.fullmatch(seen) is not None


def _normalized(form: str, text: str) -> str:
    import unicodedata  # noqa: PLC0415 - as above

    return unicodedata.normalize(form, text)  # type: ignore[arg-type]  # one of four


def _fold(text: str) -> str:
    return text.casefold()


@lru_cache(maxsize=4096)
def _matcher(pattern: str) -> Callable[[str], bool]:
    glob = pattern + "**" if pattern.endswith("/") else pattern
    plain = glob.removesuffix("/**")
    if not re.search(r"[*?\[]", plain):  # most patterns: one path, or one folder
        return pattern.__eq__ if plain == glob else lambda path: path.startswith(plain + "/")
    segments = tuple(_segment(part) for part in _collapse(glob.split("/")))
    return lambda path: path == pattern or _walk(path.split("/"), segments)


def _collapse(parts: Sequence[str]) -> list[str]:
    """One `**` where there are several; a final one needs a segment: `src/**` isn't `src`."""
    kept = [part for at, part in enumerate(parts) if part != "**" or parts[at - 1 : at] != ["**"]]
    return [*kept, "*"] if kept[-1] == "**" else kept


def _segment(part: str) -> re.Pattern[str] | None:
    if part == "**":
        return None
    from fnmatch import translate  # noqa: PLC0415 - most patterns are one path or one folder

    return re.compile(translate(part))


def _walk(path: Sequence[str], pattern: Sequence[re.Pattern[str] | None]) -> bool:
    """Steps through all places in the pattern at once, so that many `**` can't make it slow."""
    places = _past_gaps({0}, pattern)
    for segment in path:
        after: set[int] = set()
        for place in places:
            wanted = pattern[place] if place < len(pattern) else None
            if place < len(pattern) and wanted is None:
                after.add(place)
            elif wanted is not None and wanted.match(segment):
                after.add(place + 1)
        places = _past_gaps(after, pattern)
    return len(pattern) in places


def _past_gaps(places: set[int], pattern: Sequence[re.Pattern[str] | None]) -> set[int]:
    """A `**` may stand for nothing."""
    return places | {place + 1 for place in places if place < len(pattern) and pattern[place] is None}
