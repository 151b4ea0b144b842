"""Which files to judge: those that are named, those in a folder, or a project with all that it names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from autopack.problem import Problem, problem
from autopack.spec.files import BUILTIN, SCENARIOS, STDIN, File, Library, Unusable
from autopack.spec.header import PROJECT
from autopack.spec.judge import Judge
from autopack.spec.seen import SUFFIXES

NAMED_MAX = 10  # of the files that are passed over


class Asked:
    """The files to judge, in the order they were named, what can't be read, and what is not ours."""

    def __init__(self) -> None:
        self.files: list[File] = []
        self.problems: list[Problem] = []
        self._passed_over: list[str] = []

    def pass_over(self, library: Library, place: str, why: str) -> None:
        self._passed_over.append(f"{os.path.relpath(place, library.root)}, {why}")

    @property
    def passed_over(self) -> list[str]:
        """What was found in folders and not looked at; of many the first."""
        more = len(self._passed_over) - NAMED_MAX
        return [*self._passed_over[:NAMED_MAX], *([f"{more:,} more files"] if more > 0 else [])]


def asked_for(judge: Judge, paths: Sequence[str] | None, stdin: bytes | None) -> Asked:
    asked, library = Asked(), judge.library
    if paths is None:
        _ask_for_project(judge, asked)
    for path in paths or ():
        place = os.path.join(library.root, path)
        if path == "-":
            asked.files += [] if STDIN in library.files else [library.add(STDIN, "", stdin or b"")]
        elif os.path.isdir(place):
            _ask_for_folder(library, place, path, asked)
        else:
            _ask_for_file(library, place, path, asked)
    for file in asked.files:
        if file.kind == "project":
            judge.government(file).playbooks()
    return asked


def _ask_for_project(judge: Judge, asked: Asked) -> None:
    """The project file and all that it names, but what ships with autopack."""
    place = _nearest_project(judge.library)
    if place is None:
        advice = "name files or folders, or write a project with `autopack init`"
        asked.problems.append(problem("AP3007", f"no {PROJECT} in this folder or above it", None, (), advice))
        return
    _ask_for_file(judge.library, place, os.path.relpath(place, judge.library.root), asked)
    for file in list(asked.files):
        government = judge.government(file)
        playbooks = government.playbooks()
        modules = (module for playbook in playbooks for module in judge.modules_below(playbook))
        found = (*playbooks, *modules, *government.files(), *government.of_environments())
        asked.files.extend(each for each in found if each not in asked.files and not each.path.startswith(BUILTIN))
    scenarios = os.path.join(os.path.dirname(place), SCENARIOS)
    if os.path.isdir(scenarios):
        _ask_for_folder(judge.library, scenarios, os.path.relpath(scenarios, judge.library.root), asked)


def _nearest_project(library: Library) -> str | None:
    """Here or in the nearest folder above, as far up as the repository goes."""
    folder, top = library.root, library.top(library.root)
    while not (library.there(place := os.path.join(folder, PROJECT)) or os.path.lexists(place)):
        if folder == top:
            return None
        folder = os.path.dirname(folder)
    return place


def _ask_for_file(library: Library, place: str, named: str, asked: Asked) -> None:
    try:
        file = library.open(place)
    except Unusable as error:
        asked.problems.append(problem("AP3007", f"{named} {error}", None, (), error.advice))
    else:
        if file not in asked.files:
            asked.files.append(file)


def _ask_for_folder(library: Library, folder: str, named: str, asked: Asked) -> None:
    """Every YAML file below with our header; others are somebody else's.

    A folder is looked through wherever it is, a link to one only inside the repository: it could lead to all there is.
    """
    folder = os.path.abspath(folder)
    ours = library.inside(folder, library.root)
    if os.path.islink(folder) and not ours:
        message = f"{named} is a link that leads out of the repository, so it is not followed"
        asked.problems.append(problem("AP3007", message, None, (), "name the folder that it leads to"))
        return
    for place in _yaml_files(library, folder):
        if not library.inside(place, library.root if ours else folder):
            asked.pass_over(library, place, "which leads out of the repository")
            continue
        try:
            source = library.content(place)
        except Unusable as error:
            asked.pass_over(library, place, f"which {error}")
            continue
        if source.startswith(b"autopack:") or b"\nautopack:" in source:
            _ask_for_file(library, place, place, asked)


def _yaml_files(library: Library, folder: str) -> Iterator[str]:
    for here, folders, names in os.walk(folder):
        library.seen.folder(here)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(here, name) for name in sorted(names) if name.endswith(SUFFIXES))
