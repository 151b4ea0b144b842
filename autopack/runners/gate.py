"""Whether a patch may become a commit: rules over bytes before and after, in a fixed order, all of them every time.

Knows no git and no files. A `block` goes back to the Builder; `major` and `minor` go on record, and a major one to the
Auditor. Kinds are stable words: scope, protected, symbol_gone, duplicate_definition, placeholder, conflict_marker,
shrink, growth, no_op, syntax, secret, limit, binary, deliverable, test_change.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import PurePosixPath

from autopack.runners import damage, integrity
from autopack.runners.edit import Applied
from autopack.runners.redact import WITHHELD, secrets
from autopack.runners.reply import Reply
from autopack.runners.touched import GateFinding, Severity, Touched, touched
from autopack.spec import paths

__all__ = ["GateFinding", "GateRules", "Limits", "check"]

# What a phase writes into `allow`, where that isn't the kind itself.
_ALLOWED_BY = {"shrink": "large_deletion", "symbol_gone": "large_deletion", "no_op": "empty_patch"}


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one patch. `shrink` is the share of a file that may go, `growth` how many times as large it may get."""

    files: int
    changed_lines: int
    file_bytes: int
    shrink: float
    growth: float


@dataclass(frozen=True, slots=True)
class GateRules:
    """What this phase may do. `present` holds every path at base.

    `ci_files` are those of the CI profile and of the phase's probes, `left_out` the marks that CI leaves tests out by.
    """

    write: Sequence[str]
    protected: Sequence[str]
    allow: frozenset[str]
    allowed_protected: Sequence[str]
    limits: Limits
    deliverables: Sequence[str]
    present: frozenset[str]
    ci_files: Sequence[str] = ()
    left_out: Sequence[str] = ()

    def allows(self, kind: str) -> bool:
        return kind in self.allow or _ALLOWED_BY.get(kind, kind) in self.allow


def admitted(paths_named: Iterable[str], rules: GateRules) -> tuple[GateFinding, ...]:
    """What speaks against the paths alone: asked before anything of the files is looked at."""
    found = ((path, *_forbidden(path, rules)) for path in paths_named)
    return tuple(GateFinding(kind, "block", path, 0, reason) for path, kind, reason in found if reason)


def check(
    before: Mapping[str, bytes | None], applied: Applied, reply: Reply, rules: GateRules
) -> tuple[GateFinding, ...]:
    """Every finding, in the order of the rules: the first blocking one is the reason to give."""
    patch = _Patch(touched(before, applied), reply, rules)
    return tuple(finding for rule in _RULES for finding in rule(patch))


def check_carried(before: Mapping[str, bytes | None], applied: Applied, rules: GateRules) -> tuple[GateFinding, ...]:
    """What can be wrong with a patch that passed already, now that it stands on another head.

    Only what the two together may have broken: the rules that weigh the Builder's words have had their say.
    """
    patch = _Patch(touched(before, applied), Reply(()), rules)
    return tuple(finding for rule in _CARRIED for finding in rule(patch))


@dataclass(frozen=True)
class _Patch:
    files: Sequence[Touched]
    reply: Reply
    rules: GateRules

    @property
    def readable(self) -> list[Touched]:
        """Files that aren't refused for their size: the other rules needn't walk through them."""
        return [file for file in self.files if len(file.after or b"") <= self.rules.limits.file_bytes]

    @cached_property
    def there(self) -> frozenset[str]:
        """Every path afterwards."""
        gone = {path for file in self.files for path in (file.renamed_from, file.path if file.after is None else None)}
        return self.rules.present - gone | {file.path for file in self.files if file.after is not None}

    @cached_property
    def spellings(self) -> Mapping[str, Sequence[str]]:
        """Paths and their folders by what a lenient file system takes them for."""
        found: dict[str, list[str]] = {}
        folders = {str(parent) for path in self.there for parent in PurePosixPath(path).parents}
        for path in sorted(self.there | folders):
            found.setdefault(paths.spelling(path), []).append(path)
        return found


# --- paths and scope ---


def _scope(patch: _Patch) -> Iterator[GateFinding]:
    for file in patch.files:
        for path in file.names:
            kind, reason = _against(path, patch)
            if reason:
                yield GateFinding(kind, "block", path, 0, reason)


def _against(path: str, patch: _Patch) -> tuple[str, str | None]:
    """The first thing that speaks against touching this path."""
    kind, reason = _forbidden(path, patch.rules)
    if reason is None and path not in patch.rules.present:
        return "scope", _collision(path, patch)
    return kind, reason


def _forbidden(path: str, rules: GateRules) -> tuple[str, str | None]:
    new = path not in rules.present
    fault = paths.fault(path) or (paths.unportable(path) if new else None)
    if fault:
        return "scope", f"this path {fault}"
    if not paths.matches(path, rules.write):
        return "scope", f"outside the phase's scope, which is {', '.join(rules.write)}"
    granted = paths.matches(path, rules.allowed_protected)
    if paths.matches(path, rules.protected, ignore_case=True) and not granted:
        return "protected", "this path is protected"
    if paths.is_secret_like(path) and not granted:
        return "protected", "files of this name hold credentials: they are never written"
    return "scope", None


def _collision(path: str, patch: _Patch) -> str | None:
    """A new path that not every file system can keep apart from another one."""
    folders = [str(parent) for parent in PurePosixPath(path).parents]
    inside = next((folder for folder in folders if folder in patch.there), None)
    if inside:
        return f"{inside} is a file, so nothing can be inside it"
    for part in (path, *folders):
        other = next((one for one in patch.spellings.get(paths.spelling(part), ()) if one != part), None)
        if other:
            return f"{part} differs from {other} only in case or in how its characters are written"
    return None


# --- damage ---


def _no_op(patch: _Patch) -> Iterator[GateFinding]:
    if not patch.files:
        yield GateFinding("no_op", "block", "", 0, "the reply changes nothing: every file stays as it is")


def _symbols_gone(patch: _Patch) -> Iterator[GateFinding]:
    return damage.symbols_gone(patch.readable, patch.reply)


def _shrink(patch: _Patch) -> Iterator[GateFinding]:
    for file in patch.files:
        yield from damage.shrink(file, patch.rules.limits.shrink)


def _growth(patch: _Patch) -> Iterator[GateFinding]:
    for file in patch.files:
        yield from damage.growth(file, patch.rules.limits.growth)


def _each(rule: Callable[[Touched], Iterator[GateFinding]]) -> Callable[[_Patch], Iterator[GateFinding]]:
    return lambda patch: (finding for file in patch.readable for finding in rule(file))


def _unless_allowed(rule: Callable[[_Patch], Iterator[GateFinding]]) -> Callable[[_Patch], Iterator[GateFinding]]:
    return lambda patch: (finding for finding in rule(patch) if not patch.rules.allows(finding.kind))


# --- secrets ---


def _secrets(file: Touched) -> Iterator[GateFinding]:
    """In added lines; told by kind and place, never by value."""
    if file.new_text is None:
        return
    starts = [0, *accumulate(len(line) + 1 for _, line in file.added)]
    text = "\n".join(line for _, line in file.added)
    for found in sorted(secrets(text), key=lambda secret: secret.start):
        number, _ = file.added[bisect_right(starts, found.start) - 1]
        message = f"looks like a secret ({found.name}): read it from the environment instead"
        yield GateFinding("secret", "block", file.path, number, message)
    for number, line in file.added:
        if WITHHELD in line:
            kind = line.partition(WITHHELD)[2].partition(">")[0].replace("-", " ")
            message = f"looks like a secret ({kind}), which was not kept: read it from the environment instead"
            yield GateFinding("secret", "block", file.path, number, message)


# --- limits ---


def _limits(patch: _Patch) -> Iterator[GateFinding]:
    limits = patch.rules.limits
    if len(patch.files) > limits.files:
        yield GateFinding(
            "limit", "block", "", 0, f"touches {len(patch.files)} files, at most {limits.files} are allowed"
        )
    lines = sum(file.changed_lines for file in patch.readable)
    if lines > limits.changed_lines:
        yield GateFinding(
            "limit", "block", "", 0, f"changes {lines:,} lines, at most {limits.changed_lines:,} are allowed"
        )
    for file in patch.files:
        size = len(file.after or b"")
        if size > limits.file_bytes:
            message = f"would have {size:,} bytes, at most {limits.file_bytes:,} are allowed"
            yield GateFinding("limit", "block", file.path, 0, message)


def _binary(file: Touched) -> Iterator[GateFinding]:
    """Text in another encoding may stay what it is."""
    if file.after is None or file.new_text is not None or file.after == file.before:
        return
    kept_encoding = bool(file.before) and file.old_text is None and b"\0" not in file.after
    if not kept_encoding:
        yield GateFinding("binary", "block", file.path, 0, "would not be UTF-8 text")


def _deliverables(patch: _Patch) -> Iterator[GateFinding]:
    for wanted in patch.rules.deliverables:
        if wanted not in patch.there and not any(paths.matches(path, [wanted]) for path in patch.there):
            yield GateFinding("deliverable", "block", wanted, 0, "the phase must deliver this, and it isn't there")


# --- tests ---


def _test_integrity(patch: _Patch) -> Iterator[GateFinding]:
    """Without the grant refused; with it still something the Auditor has to see."""
    allow = patch.rules.allow
    for found in integrity.weakenings(patch.readable, patch.rules.ci_files, patch.rules.left_out):
        allowed = "test_changes" in allow or (found.about_settings and "ci_config" in allow)
        severity: Severity = "major" if allowed else "block"
        yield GateFinding("test_change", severity, found.path, found.line, found.message)


_RULES: tuple[Callable[[_Patch], Iterator[GateFinding]], ...] = (
    _scope,
    _unless_allowed(_symbols_gone),
    _unless_allowed(_each(damage.duplicate_definitions)),
    _unless_allowed(_each(damage.placeholders)),
    _unless_allowed(_each(damage.conflict_markers)),
    _unless_allowed(_shrink),
    _unless_allowed(_growth),
    _unless_allowed(_no_op),
    _each(damage.syntax),
    _each(_secrets),
    _limits,
    _unless_allowed(_each(_binary)),
    _deliverables,
    _test_integrity,
)

_CARRIED: tuple[Callable[[_Patch], Iterator[GateFinding]], ...] = (
    _scope,
    _unless_allowed(_each(damage.duplicate_definitions)),
    _unless_allowed(_each(damage.conflict_markers)),
    _each(damage.syntax),
    _limits,
    _deliverables,
)
