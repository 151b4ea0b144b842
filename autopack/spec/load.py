"""From files to findings, and from files without one to a Spec: what the other rooms ask of this one.

A project's references are followed: playbooks and the modules they use, ruleset and what it extends, CI, models
(`government`, `judge`). A path starts at the folder of the file that holds it; a remote module is what the lock pins,
read from a cache. What an editor holds and has not saved wins over the file (`instead`). No network, no git, no keys,
no clock: whoever asks says which day it is. What only a Spec needs is imported by the functions that make one, because
this file is on the way of every `validate`.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from autopack.problem import Problem, order, problem
from autopack.problem.typed import TYPE_CHECKING, Any, NamedTuple
from autopack.spec import schema
from autopack.spec.asked import asked_for
from autopack.spec.at import At, Steps
from autopack.spec.document import Document
from autopack.spec.files import FOLDERS, File, Library, Unusable, broken, folder_of
from autopack.spec.government import Governing
from autopack.spec.header import PROJECT
from autopack.spec.judge import Judge, few
from autopack.spec.nearest import did_you_mean, nearest
from autopack.spec.rules.inputs import converted, fitting, misfit
from autopack.spec.rules.kept_secrets import secret_in
from autopack.spec.seen import Seen

if TYPE_CHECKING:  # this room's own model; at run time only `load` pays for dataclasses
    from autopack.spec.expand import Whole
    from autopack.spec.filling import Filling
    from autopack.spec.model import Project, Scalar, Scenario, Spec

WAIVER = "ignore"  # a word of every file with a waiver
USED = "used here"
STDIN = "<stdin>"


class Checked(NamedTuple):
    """What a check found. `documents` are all files it read, by the path findings show; `files` those it judged.

    `waived` is what inline waivers silenced; `seen`, all on disk that the rest was made from.
    """

    documents: dict[str, Document]
    problems: list[Problem]
    files: tuple[str, ...]
    not_checked: tuple[str, ...]
    waived: tuple[Problem, ...]
    seen: Seen


class Compile(NamedTuple):
    """The compiler's part of a check, which is another room's: what it finds in a spec, by default inputs.

    `beside` is a file that it may read, relative to the project; its text is handed on, None where there is none.
    Beside the findings it gives what the playbook has used of the policy: `left_over` gets that of all in a project.
    """

    findings: Callable[[Spec, str | None], tuple[list[Problem], Any]]
    beside: str
    left_over: Callable[[Spec, list[Any]], list[Problem]]


class Government(NamedTuple):
    """The documents that say what a file may refer to; None and () for those that can't be read."""

    project: Document | None
    rulesets: tuple[Document, ...]  # the nearest first
    ci: Document | None
    models: Document | None
    playbooks: tuple[Document, ...]
    places: Mapping[str, str]  # where each file is on this machine, by the path its document shows


def check(
    root: str,
    paths: Sequence[str] | None = None,
    *,
    stdin: bytes | None = None,
    today: str = "",
    env: str | None = None,
    instead: Mapping[str, bytes] | None = None,
    compile: Compile | None = None,  # noqa: A002 - the field's word
) -> Checked:
    """Everything wrong with the project in the folder `root`, or with the given files and folders ("-": stdin).

    A file is judged by the project in the nearest folder above it, or by the builtins where there is none. Paths are
    shown relative to `root`. `today` (2027-01-31) decides what has expired, `env` names an overlay of the project.
    `instead` holds what to believe of files in place of what is on disk, by absolute path. With `compile` every
    playbook among them is compiled, too, as far as nothing stands against it.
    """
    judge = Judge(Library(root, instead), today, env)
    left_out: list[str] = []
    with _Uncollected():
        asked = asked_for(judge, paths, stdin)
        by_file = {file.path: judge.problems(file) for file in asked.files}
        problems = [found for each in by_file.values() for found in each]
        problems += judge.without_environment(asked.files)
        if compile is not None:
            more, left_out = _compiled(judge, asked.files, by_file, compile)
            problems += _few_a_file(more, set(problems))
    files = judge.library.files
    judged = [file.path for file in asked.files]
    broken = [path for path, file in files.items() if file.broken and path not in judged]
    left, silenced = _waived(asked.files, problems, today)
    return Checked(
        {path: file.document for path, file in files.items() if file.document is not None},
        order([*asked.problems, *left]),
        tuple(judged),
        (
            "model reachability",
            *asked.passed_over,
            *judge.out_of_reach(),
            *left_out,
            *(f"names from {path}, which has errors" for path in broken),
        ),
        tuple(order(silenced)),
        judge.library.seen,
    )


def government(root: str, path: str, instead: Mapping[str, bytes] | None = None) -> Government:
    """What governs the file at `path`, relative to `root`; a ruleset, CI or models file stands for its own kind."""
    judge = Judge(Library(root, instead), "", None)
    try:
        file: File | None = judge.library.open(os.path.join(root, path))
    except Unusable:
        file = None
    found = judge.government(file) if file else Governing(judge.library, None)
    named = {kind: file if file and file.kind == kind else found.named(kind) for kind in FOLDERS}
    policy = found.policy(named["ruleset"])
    chain = list(reversed(policy.files)) if policy else []
    ci, models = named["ci"], named["models"]
    playbooks = found.playbooks()
    return Government(
        found.project.document if found.project else None,
        tuple(each.document for each in chain if each.document is not None),
        ci.document if ci else None,
        models.document if models else None,
        tuple(each.document for each in playbooks if each.document is not None),
        {each.path: each.place for each in judge.library.files.values()},
    )


def load(
    root: str,
    playbook: str,
    inputs: Mapping[str, Scalar] | None = None,
    *,
    today: str = "",
    env: str | None = None,
    instead: Mapping[str, bytes] | None = None,
) -> tuple[Spec | None, list[Problem]]:
    """The playbook with all that governs it, templates filled in, and every finding; no Spec where one is an error.

    Values of `inputs` may be text, as on a command line. `{{ run.id }}` stays in the texts as `template.RUN_ID`.
    `env` names an overlay of the project. A remote module that isn't pinned and at hand is an error here.
    """
    judge = Judge(Library(root, instead), today, env)
    try:
        file = judge.library.open(os.path.join(root, playbook))
    except Unusable as error:
        return None, [problem("AP3007", f"{playbook} {error}", None, (), error.advice)]
    involved = [file, *judge.modules_below(file), *judge.government(file).files()]
    problems = [found for each in involved for found in judge.problems(each)]
    problems += [*judge.without_environment([file]), *judge.remote_problems]
    problems, _ = _waived(involved, problems, today)
    if file.document is not None and file.kind not in (None, "playbook"):
        message = f"this is a file of kind {file.kind}, a playbook is asked for"
        problems.append(problem("AP3008", message, file.document.span(("autopack",))))
    if broken(problems):
        return None, order(problems)
    values, wrong = _inputs(file, inputs or {})
    spec, late = (None, wrong) if wrong else _spec(judge, file, values)
    problems = order([*problems, *late])
    return (None if broken(problems) else spec), problems


def project_of(root: str) -> Project | None:
    """The project whose file is in the folder `root`, the defaults where there is none; None when it has errors."""
    judge = Judge(Library(root), "", None)
    place = os.path.join(root, PROJECT)
    if not os.path.lexists(place):
        return _project(Governing(judge.library, None), PROJECT, judge.library.root)
    try:
        file = judge.library.open(place)
    except Unusable:
        return None
    usable = file.kind == "project" and not broken(judge.problems(file))
    return _project(judge.government(file), PROJECT, judge.library.root) if usable else None


def scenario(root: str, path: str, *, today: str = "") -> tuple[Scenario | None, list[Problem]]:
    """A scenario, its playbook as a path from `root`, and every finding in the scenario's own file."""
    judge = Judge(Library(root), today, None)
    try:
        file = judge.library.open(os.path.join(root, path))
    except Unusable as error:
        return None, [problem("AP3007", f"{path} {error}", None, (), error.advice)]
    return _scenario(judge, file, today)


class Rehearsable(NamedTuple):
    """A scenario's file as `scenarios` read it; `scenario` is None where a finding is an error."""

    path: str
    document: Document | None
    scenario: Scenario | None
    problems: list[Problem]


def scenarios(root: str, paths: Sequence[str], *, today: str = "") -> list[Rehearsable]:
    """The scenarios in files and folders; every file is read once.

    In a folder only scenarios are taken, and files that don't say what they are; a file that is named has to be one.
    """
    judge = Judge(Library(root), today, None)
    asked = asked_for(judge, paths, None)
    named = {os.path.abspath(os.path.join(root, path)) for path in paths}
    found = [Rehearsable(each.message, None, None, [each]) for each in asked.problems]
    with _Uncollected():
        found += [
            Rehearsable(file.path, file.document, *_scenario(judge, file, today))
            for file in asked.files
            if file.kind in (None, "scenario") or file.place in named
        ]
    return found


def _scenario(judge: Judge, file: File, today: str) -> tuple[Scenario | None, list[Problem]]:
    problems, _ = _waived([file], judge.problems(file), today)
    problems = order(problems)
    if file.document is not None and file.kind not in (None, "scenario"):
        message = f"this is a file of kind {file.kind}, a scenario is asked for"
        problems.append(problem("AP3008", message, file.document.span(("autopack",))))
    playbook = judge.playbook_of(file)
    if broken(problems) or playbook is None:
        return None, problems
    from autopack.spec import build  # noqa: PLC0415 - see the module

    return build.scenario(At(file.path), {**file.value, "playbook": playbook.path}), problems


def remotes(root: str) -> tuple[list[str], list[Problem]]:
    """Every remote module that the project's playbooks use, also through others that are at hand, and what hinders."""
    judge = Judge(Library(root), "", None)
    asked = asked_for(judge, None, None)
    problems = [found for file in asked.files for found in judge.problems(file)]
    problems, _ = _waived(asked.files, problems, "")
    return sorted(judge.remotes), order([*asked.problems, *problems])


class _Uncollected:
    """No garbage collection meanwhile: nothing here is garbage, and looking for it takes a third of the time."""

    def __enter__(self) -> None:
        self._collecting = gc.isenabled()
        gc.disable()

    def __exit__(self, *_raised: object) -> None:
        if self._collecting:
            gc.enable()


def _waived(files: Iterable[File], problems: list[Problem], today: str) -> tuple[list[Problem], list[Problem]]:
    """What is left to tell after the waivers in some files, and what they silenced."""
    documents = [file.document for file in files if file.document is not None and WAIVER in file.document.text]
    if not documents:
        return problems, []
    from autopack.spec.waivers import waived  # noqa: PLC0415 - most files waive nothing

    left = waived(documents, problems, today)
    return left.problems, left.silenced


# --- a spec ---


def _inputs(file: File, given: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], list[Problem]]:
    """The value of every declared input, and what was given wrongly or not at all."""
    declared: Mapping[str, Any] = file.value.get("inputs", {})
    problems = [_stranger(file, name, declared) for name in given if name not in declared]
    misspelt = {nearest(name, declared) for name in given if name not in declared}
    values: dict[str, Scalar] = {}
    for name, each in declared.items():
        value = converted(each.get("type", "string"), given[name]) if name in given else each.get("default")
        if value is None and name in misspelt:
            continue  # told with its other name
        if value is None:
            problems.append(_about_input(file, name, f'the input "{name}" is needed', f"give it: --input {name}=..."))
        elif reason := misfit(each, value):
            problems.append(_about_input(file, name, f'the input "{name}" {reason}', str(fitting(each, value))))
        elif name in given and (kind := secret_in(str(value))):
            advice = "put it where commands find it, in the environment: goals are kept and sent"
            problems.append(_about_input(file, name, f'the input "{name}" looks like a secret ({kind})', advice))
        else:
            values[name] = value
    return values, problems


def _stranger(file: File, name: str, declared: Mapping[str, Any]) -> Problem:
    known = f"inputs of this playbook: {', '.join(declared) or 'none'}"
    return _about_input(file, None, f'no input "{name}" is declared', did_you_mean(name, declared) or known)


def _about_input(file: File, name: str | None, message: str, advice: str | None) -> Problem:
    """At the declaration, at `inputs`, or at the top of the file: as near as there is something written."""
    assert file.document is not None
    places: list[Steps] = [("inputs", name)] if name else [("inputs",), ("autopack",)]
    place = next(steps for steps in places if file.document.has(steps))
    return problem("AP3019", message, file.document.key_span(place), (), advice)


def _spec(judge: Judge, file: File, inputs: dict[str, Scalar]) -> tuple[Spec, list[Problem]]:
    """All of it as frozen values, and what is wrong with the texts once they are filled in. Every file is valid."""
    from autopack.spec import build, expand, extends  # noqa: PLC0415 - see the module
    from autopack.spec.filling import Filling  # noqa: PLC0415
    from autopack.spec.model import Spec  # noqa: PLC0415

    government = judge.government(file)
    ruleset, ci, models = (government.named(kind) for kind in ("ruleset", "ci", "models"))
    policy = government.policy(ruleset)
    assert file.document is not None
    assert ruleset is not None
    assert policy is not None
    assert ci is not None
    assert ci.document is not None
    assert models is not None
    project = _project(government, file.path, judge.library.root)
    playbook, tiers, late = expand.expanded(judge.source(file), Filling(inputs, project.name))
    ci_value, late_ci = _filled_in(ci.document, Filling({}, project.name))
    spec = Spec(
        root=folder_of(judge.library, government.project),
        project=project,
        playbook=build.playbook(At(file.path), playbook, tiers),
        ruleset=build.ruleset(At(ruleset.path), extends.merged(policy.links())),
        ci=build.ci(At(ci.path), schema.filled("ci", ci_value)),
        models=build.models(At(models.path), schema.filled("models", models.value)),
        documents={path: each.document for path, each in judge.library.files.items() if each.document is not None},
        inputs=inputs,
        modules=_first_uses(tiers),
    )
    return spec, [*late, *late_ci]


def _filled_in(document: Document, filling: Filling) -> tuple[Any, list[Problem]]:
    if not schema.holds_template(document.text):
        return document.value, []
    from autopack.spec import template  # noqa: PLC0415 - most files hold none

    return template.filled_in(document, filling)


def _compiled(
    judge: Judge, files: Iterable[File], known: dict[str, list[Problem]], compiler: Compile
) -> tuple[list[Problem], list[str]]:
    """What a compiler finds in every playbook that can be compiled by its default inputs, and what it could not see."""
    found: dict[Problem, None] = {}
    left_out: list[str] = []
    hindered: list[str] = []
    uses: dict[str, tuple[Spec, Any]] = {}
    for file in (file for file in files if file.kind == "playbook"):
        if why := _hindrance(judge, file, known):
            hindered.append(why)
            continue
        inputs, missing = _inputs(file, {})
        if missing:
            names = ", ".join(each for each in file.value["inputs"] if each not in inputs)
            left_out.append(f"graph, policy and budget of {file.path}, which needs --input {names}")
            continue
        spec, late = _spec(judge, file, inputs)
        more: list[Problem] = []
        use = None
        if not broken(late):
            more, use = compiler.findings(spec, _beside(judge.library, spec.root, compiler.beside))
        if use is not None:
            uses[file.path] = spec, use
        found.update(dict.fromkeys([*late, *more]))
    for shared in _whole_projects(judge, uses):
        found.update(dict.fromkeys(compiler.left_over(shared[0][0], [use for _, use in shared])))
    for why in dict.fromkeys(hindered):
        number = hindered.count(why)
        left_out.append(f"graph, policy and budget of {number} playbook{'' if number == 1 else 's'} {why}")
    return list(found), left_out


def _few_a_file(more: Iterable[Problem], known: Collection[Problem]) -> list[Problem]:
    """Those that aren't known yet, of each file as many as anybody reads."""
    by_path: dict[str, list[Problem]] = {}
    for each in more:
        if each not in known:
            by_path.setdefault(each.span.path if each.span else "", []).append(each)
    return [each for found in by_path.values() for each in few(found)]


def _hindrance(judge: Judge, file: File, known: dict[str, list[Problem]]) -> str | None:
    """Why a playbook can't be compiled, in words that follow it. `known` holds the findings of each file so far."""
    involved = [file, *judge.modules_below(file), *judge.government(file).files()]
    for each in involved:
        if each.path not in known:
            known[each.path] = judge.problems(each)
    if any(broken(known[each.path]) for each in involved):
        return "with errors"
    holders = {found.span.path for found in judge.remote_problems if found.span}
    return "with remote modules out of reach" if any(each.path in holders for each in involved) else None


def _whole_projects(judge: Judge, uses: Mapping[str, tuple[Spec, Any]]) -> Iterator[list[tuple[Spec, Any]]]:
    """What the playbooks have used, of each project of which all of them are known."""
    files = judge.library.files
    projects = dict.fromkeys(judge.government(files[path]).project for path in uses)
    for project in projects:
        names = [] if project is None else [each.path for each in judge.government(project).playbooks()]
        if names and all(name in uses for name in names):
            yield [uses[name] for name in names]


def _beside(library: Library, root: str, name: str) -> str | None:
    place = os.path.join(root, name)
    try:
        return library.content(place).decode("utf-8", "replace") if library.there(place) else None
    except Unusable:
        return None


def _first_uses(tiers: Sequence[Whole]) -> dict[str, At]:
    found: dict[str, At] = {}
    for each in (whole for tier in tiers for whole in (tier, *tier.phases) if whole.via):
        found.setdefault(each.at.path, each.via[-1])
    return found


def _project(government: Governing, playbook: str, root: str) -> Project:
    """The project, or what stands for one where a playbook has none: the schema's defaults, called like the folder."""
    from autopack.spec import build  # noqa: PLC0415 - see the module

    if government.project is not None:
        return build.project(At(government.project.path), government.settings)
    return build.project(At(playbook), {**government.settings, "name": os.path.basename(root) or "project"})
