"""What models break without meaning to: a file cut short, "rest of code" in place of code, a function lost or doubled.

Each rule looks at one file, except for symbols, which may have moved to another one. Every finding is about what the
patch does; what was wrong before stays the project's business.
"""

import ast
import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from autopack.runners.integrity import is_test
from autopack.runners.redact import MARK
from autopack.runners.reply import Reply
from autopack.runners.touched import GateFinding, Severity, Touched, parsed
from autopack.spec import document

_SMALL_LINES = 10  # of a file this short any edit is a large one
_LINE_CHARS_MAX = 300
_PROSE = (".md", ".markdown", ".mdx", ".rst", ".txt", ".adoc", "")
_NOT_YAML = ("AP1009", "AP1015")  # tabs as indentation, and all that is no YAML; tags and streams are others' right

# --- placeholders and markers, in added lines ---

_LEAD = r"\s*(?:#+|//+|/\*+|<!--|--|;+|%|\*|\{/\*|\"\"\")"
_DOTS = r"(?:\.{3}|…)"
_THING = (
    r"(?:code|files?|functions?|methods?|class(?:es)?|modules?|implementation|contents?|imports?|tests?|lines?|logic|body"
    r"|definitions?|script|document|section)"
)
_REST = (
    r"(?:the\s+)?(?:rest\s+of\s+(?:the\s+|your\s+|this\s+)?"
    r"|(?:all\s+)?(?:the\s+)?(?:other|existing|remaining|previous|original|unchanged|current|same)\s+)"
    rf"(?:\w+\s+){{0,2}}?{_THING}"
)
_UNTOLD = (
    r"(?:here|unchanged|omitted|continues|follows|goes\s+here|as\s+(?:is|before)"
    r"|(?:remains?|stays?|is|are)\s+(?:the\s+same|unchanged|here|omitted|as\s+(?:is|before)))"
)
_PLACEHOLDERS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:{_LEAD})?\s*[(\[]?\s*{_DOTS}\s*[(\[]?\s*(?:{_REST}|unchanged|omitted|same\s+as\s+before)\b",
        rf"{_LEAD}\s*[(\[]?\s*{_REST}\s+{_UNTOLD}\b",
        rf"{_LEAD}\s*[(\[]?\s*(?:the\s+)?rest\s+of\s+(?:the\s+)?{_THING}\s*(?:[)\]]|{_DOTS}|\*/|-->|\*/\}}|\s)*$",
        rf"{_LEAD}\s*[(\[](?:unchanged|omitted(?:\s+for\s+brevity)?|same\s+as\s+before)[)\]]",
    )
)
_DOTS_ALONE = re.compile(rf"\s*(?:#|//)\s*{_DOTS}\s*")
_CONFLICT = re.compile(r"<{7} \S.*|>{7} \S.*|\|{7} \S.*|<{5,9} SEARCH\s*|>{5,9} REPLACE\s*")


def placeholders(file: Touched) -> Iterator[GateFinding]:
    severity: Severity = "minor" if file.suffix in _PROSE else "block"
    shorter = file.before is not None and len(file.after or b"") < len(file.before)
    for number, line in file.added:
        if len(line) > _LINE_CHARS_MAX:
            continue
        told = any(pattern.match(line) for pattern in _PLACEHOLDERS) or (shorter and _DOTS_ALONE.fullmatch(line))
        if told:
            message = f"`{line.strip()[:80]}` stands where code should be: write all of it out"
            yield GateFinding("placeholder", severity, file.path, number, message)
        elif MARK in line:
            message = f"`{MARK}...]` hides a secret from you and must not be written: leave such lines out of the edit"
            yield GateFinding("placeholder", "block", file.path, number, message)


def conflict_markers(file: Touched) -> Iterator[GateFinding]:
    for number, line in file.added:
        if len(line) <= _LINE_CHARS_MAX and _CONFLICT.fullmatch(line):
            message = f"`{line[:40]}` is a marker of a conflict or of an edit block, not content"
            yield GateFinding("conflict_marker", "block", file.path, number, message)


# --- size ---


def shrink(file: Touched, limit: float) -> Iterator[GateFinding]:
    """Deleting a file says so itself and is no shrinking."""
    if file.after is None or _small(file):
        return
    before = len(file.before or b"")
    lost = (before - len(file.after)) / before
    if lost > limit:
        message = f"loses {lost:.0%} of its {before:,} bytes, at most {limit:.0%} are allowed: was the rest left out?"
        yield GateFinding("shrink", "block", file.path, 0, message)


def growth(file: Touched, limit: float) -> Iterator[GateFinding]:
    if file.after is None or _small(file):
        return
    factor = len(file.after) / len(file.before or b"")
    if factor > limit:
        message = f"grows to {factor:.1f} times its size, at most {limit:g} times is allowed: is something in it twice?"
        yield GateFinding("growth", "block", file.path, 0, message)


def _small(file: Touched) -> bool:
    return file.before is None or file.before.count(b"\n") < _SMALL_LINES


# --- symbols ---

_DEFINITION = re.compile(
    r"^[ \t]{0,40}"
    r"(?:(?:export|default|public|private|protected|static|async|abstract|final|pub(?:\([a-z]+\))?)[ \t]+){0,5}"
    r"(?:function|class|interface|enum|struct|trait|type|func|fn|def|module)[ \t]+"
    r"(?:\([^)\n]{0,80}\)[ \t]*)?(?P<name>[A-Za-z_]\w*)",
    re.MULTILINE,
)
_CODE = frozenset(
    (
        ".c",
        ".cc",
        ".cpp",
        ".cs",
        ".go",
        ".h",
        ".hpp",
        ".java",
        ".js",
        ".jsx",
        ".kt",
        ".mjs",
        ".php",
        ".rb",
        ".rs",
        ".ts",
        ".tsx",
    )
)
_SEVERAL_TIMES = frozenset({"overload", "setter", "getter", "deleter", "register"})


def symbols_gone(files: Sequence[Touched], reply: Reply) -> Iterator[GateFinding]:
    """Functions and classes that vanish from a file that stays, and no SEARCH half and no prose names them."""
    there = {name.rpartition(".")[2] for file in files for name in _symbols(file.suffix, file.new_text, file.new_tree)}
    named = there | _named(reply)
    for file in files:
        if file.new_text is None or (file.suffix == ".py" and file.new_tree is None) or is_test(file.path):
            continue
        left = set(_symbols(file.suffix, file.new_text, file.new_tree))
        for name in _symbols(file.suffix, file.old_text, file.old_tree):
            bare = name.rpartition(".")[2]
            if name not in left and bare not in named:
                message = f"{name} is gone and nothing says it was meant to be: keep it, or name it in your explanation"
                yield GateFinding("symbol_gone", "block", file.path, 0, message)


def duplicate_definitions(file: Touched) -> Iterator[GateFinding]:
    """A second definition of one name in one scope, which Python takes without a word."""
    if file.suffix not in (".py", ".pyi") or file.new_tree is None:
        return
    before = Counter(name for name, _ in _definitions(file.old_tree))
    after: Counter[str] = Counter()
    for name, line in _definitions(file.new_tree):
        after[name] += 1
        if after[name] > max(1, before[name]):
            yield GateFinding("duplicate_definition", "block", file.path, line, f"{name} is defined again here")


def _symbols(suffix: str, text: str | None, tree: ast.Module | None) -> list[str]:
    if text is None:
        return []
    if suffix in (".py", ".pyi"):
        return list(dict.fromkeys(name for name, _ in _scopes(tree)))
    return list(dict.fromkeys(_DEFINITION.findall(text))) if suffix in _CODE else []


def _named(reply: Reply) -> set[str]:
    searched = [hunk.search for edit in reply.edits for hunk in edit.hunks]
    return set(re.findall(r"\w+", "\n".join([*searched, reply.prose, reply.facts.summary, reply.facts.notes])))


_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _scopes(tree: ast.Module | None) -> Iterator[tuple[str, _Definition]]:
    """Definitions of a module and of its classes, with dotted names; what is inside a function is its own business."""
    todo: list[tuple[str, ast.AST]] = [("", tree)] if tree else []
    while todo:
        prefix, scope = todo.pop()
        for node in getattr(scope, "body", []):
            if isinstance(node, _Definition):
                yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                todo.append((f"{prefix}{node.name}.", node))


def _definitions(tree: ast.Module | None) -> Iterator[tuple[str, int]]:
    """Without those that may stand several times: overloads, properties, registered implementations, `_`."""
    for name, node in _scopes(tree):
        decorators = {_last_name(decorator) for decorator in node.decorator_list}
        if not decorators & _SEVERAL_TIMES and node.name != "_":
            yield name, node.lineno


def _last_name(decorator: ast.expr) -> str:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


# --- files that parsed still parse ---


def syntax(file: Touched) -> Iterator[GateFinding]:
    """A new file that doesn't parse is refused if nobody could want it so; templates may look like YAML or JSON."""
    fault_of = _PARSERS.get(file.suffix)
    if fault_of is None or file.new_text is None:
        return
    fault = fault_of(file.new_text)
    if fault is None or (file.old_text is not None and fault_of(file.old_text) is not None):
        return
    severity: Severity = "minor" if file.before is None and file.suffix in (".json", ".yaml", ".yml") else "block"
    line, words = fault
    yield GateFinding("syntax", severity, file.path, line, f"doesn't parse any more: {words}" if file.before else words)


_Fault = tuple[int, str]


def _python_fault(text: str) -> _Fault | None:
    return parsed(text)[1]


def _json_fault(text: str) -> _Fault | None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.lineno, error.msg
    except (RecursionError, ValueError):  # nested beyond the parser, or a number beyond Python's limit on digits
        return None
    return None


def _toml_fault(text: str) -> _Fault | None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        return int(found[1]) if found else text.count("\n") + 1, str(error)
    except ValueError as error:  # a number beyond Python's limit on digits
        return 0, str(error)
    except RecursionError:
        return None
    return None


def _yaml_fault(text: str) -> _Fault | None:
    _, problems = document.read("", text.encode())
    fault = next((problem for problem in problems if problem.code in _NOT_YAML), None)
    return (fault.span.line if fault.span else 0, fault.message) if fault else None


_PARSERS: dict[str, Callable[[str], _Fault | None]] = {
    ".json": _json_fault,
    ".py": _python_fault,
    ".pyi": _python_fault,
    ".toml": _toml_fault,
    ".yaml": _yaml_fault,
    ".yml": _yaml_fault,
}
