"""The user's repository, read and written without a checkout.

Objects are made by plumbing that runs in a private, empty repository (the desk) whose object folder is the user's: so
nothing the user's repository holds beside objects has a say, be it configuration, hooks, attributes, index, merge
drivers or replace refs. Only refs are asked of and written to the user's own repository: one integration branch, by
compare-and-swap, and tags; `_writable` refuses every other.

Ids of commits, trees and blobs are hexadecimal strings, refs are full names. Equal arguments give equal ids, so any
call may be repeated after a crash.
"""

import os
import re
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from autopack.runners.git import blobs
from autopack.runners.git import tree as trees
from autopack.runners.git.command import Git
from autopack.runners.git.errors import BranchInUse, GitKilled, GitUnusable, RefRefused, TagRefused, TreeRefused
from autopack.runners.git.folder import Folder
from autopack.runners.git.recent import Recent
from autopack.runners.git.tree import Commit, Entry, FileChange, Stat, Tag
from autopack.runners.git.words import Identity, message_bytes, object_id, one_line

# Renames only of equal content: which similar file counts as the origin is a guess that git versions make differently,
# and a plan or a review must not depend on it. Full ids and binary patches are what `git apply` needs.
DIFF = ("diff-tree", "-r", "--no-ext-diff", "--no-textconv", "--no-color", "--find-renames=100%")
PATCH = (
    "--patch",
    "--binary",
    "--full-index",
    "--unified=3",
    "--diff-algorithm=myers",
    "--indent-heuristic",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)

_NO_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|[/.]$")

LOG = ("-m", "autopack")
FILES_KEPT = 100_000
"""Of commits listed lately: some thirty megabytes."""
CLOCK_TICK_S = 0.05  # a file's time is the kernel's last tick, not the moment


@dataclass(frozen=True, slots=True, eq=False)
class Repository:
    """Safe to share between threads. `writes` are the refs it may write: full names, or prefixes that end in a slash.

    `user` sees the user's own repository, `desk` the private one.
    """

    place: str
    git_dir: str
    common_dir: str
    object_format: str
    writes: tuple[str, ...]
    user: Git
    desk: Git
    folder: Folder
    _listings: Recent[tuple[Entry, ...]] = field(default_factory=lambda: Recent(FILES_KEPT, len))
    _stats: Recent[Stat] = field(default_factory=lambda: Recent(FILES_KEPT, lambda stat: 1 + len(stat.paths)))
    _trees: Recent[str] = field(default_factory=lambda: Recent(FILES_KEPT, lambda _tree: 1))
    _objects: Recent[tuple[str, ...]] = field(default_factory=lambda: Recent(FILES_KEPT, len))

    def close(self) -> None:
        self.folder.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def nothing(self) -> str:
        """The id that means "no such ref"."""
        return "0" * (64 if self.object_format == "sha256" else 40)

    # Refs as they are ------------------------------------------------------------------------------------------

    def resolve(self, rev: str) -> str:
        """The commit that a person's words name: a branch, a tag, an abbreviated id, `HEAD~2`."""
        found = self.user.run("rev-parse", "--verify", "--end-of-options", rev + "^{commit}", accept=(0, 128))
        if found.status:
            action = "Commit something there, or name another base (`base_branch` in autopack.yaml)."
            raise GitUnusable(self.place, f'"{rev}" names no commit', action, found.err)
        return found.text

    def refs(self, patterns: Iterable[str]) -> dict[str, str]:
        """Name -> id of every ref that matches: a full name, a prefix ending in a slash, or a glob.

        `*` stays within a component of the name. An annotated tag's id is that of the tag object.
        """
        patterns = tuple(patterns)
        for pattern in patterns:
            if not pattern.startswith("refs/"):
                action = "Write refs/heads/... or refs/tags/..."
                raise RefRefused(self.place, f'"{pattern}" is no full ref name', action)
        if not patterns:
            return {}
        lines = self.user.run("for-each-ref", "--format=%(objectname) %(refname)", "--", *patterns).text.split("\n")
        return {name: head for head, _, name in (line.partition(" ") for line in lines if line)}

    def branch_head(self, ref: str) -> str | None:
        return self.refs((ref,)).get(ref)

    def in_the_way(self, ref: str) -> str | None:
        """A ref that leaves no room for `ref` (a prefix ends in a slash): itself, one above it, one below it."""
        name = ref.removesuffix("/")
        above = {"/".join(name.split("/")[:depth]) for depth in range(3, name.count("/") + 2)}
        found = self.refs((*above, name + "/"))
        return next((there for there in found if there in above or there.startswith(name + "/")), None)

    def checkout_in_use(self, ref: str) -> None:
        """Raise BranchInUse when some worktree of the user has it checked out.

        One whose folder is gone doesn't count. Nobody is kept from checking it out a moment later.
        """
        for where in self.checkouts(ref):
            fact = f"{ref} is checked out here, and a run is about to move it"
            raise BranchInUse(where, fact, f"Check out another branch there: git -C {where} switch --detach")

    def checkouts(self, ref: str) -> Iterator[str]:
        """The folders of the user's worktrees that have it checked out, without those whose folder git knows gone."""
        for worktree in self.user.run("worktree", "list", "--porcelain", "-z").out.split(b"\0\0"):
            facts = dict(line.partition(b" ")[::2] for line in worktree.split(b"\0"))
            if facts.get(b"branch") == trees.encoded(ref) and b"prunable" not in facts:
                yield trees.decoded(facts[b"worktree"])

    # What a commit holds ---------------------------------------------------------------------------------------

    def list_files(self, commit: str) -> tuple[Entry, ...]:
        return tuple(trees.entries(self.desk.run("ls-tree", "-r", "-l", "-z", "--full-tree", object_id(commit)).out))

    def list_names(self, commit: str) -> tuple[Entry, ...]:
        """The same without sizes: for those git has to open every object."""
        tree = self._trees.get(commit) or object_id(commit)
        found = self._listings.get(tree)
        return found or self._listings.put(
            tree, tuple(trees.entries(self.desk.run("ls-tree", "-r", "-z", "--full-tree", tree).out))
        )

    def sizes(self, entries: Iterable[Entry]) -> dict[str, int]:
        """How many bytes the regular files among what was listed have."""
        named = {file.path: file.blob for file in entries if file.is_regular}
        found = blobs.sizes(self.desk, sorted(set(named.values())))
        return {path: found[blob] for path, blob in named.items()}

    def submodules_of(self, commit: str, paths: Iterable[str]) -> dict[str, str]:
        """Those of the paths that are a submodule, or lie in one, with the submodule."""
        asked = {
            path: ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
            for path in paths
            for parts in [path.split("/")]
        }
        if not asked:
            return {}
        words = ("ls-tree", "-z", "--full-tree", object_id(commit), "--")
        listing = self.desk.run(*words, *sorted({name for names in asked.values() for name in names})).out
        found = {entry.path for entry in trees.entries(listing) if entry.is_submodule}
        return {path: name for path, names in asked.items() for name in names if name in found}

    def read_files(self, commit: str, paths: Collection[str] | None = None) -> dict[str, bytes]:
        """Content of the regular files among `paths` (None: of all); others are absent, links are not followed."""
        wanted = None if paths is None else frozenset(paths)
        return self.read(file for file in self.list_names(commit) if wanted is None or file.path in wanted)

    def read(self, entries: Iterable[Entry]) -> dict[str, bytes]:
        """Content of the regular files among what was listed."""
        named = {file.path: file.blob for file in entries if file.is_regular}
        contents = blobs.read(self.desk, sorted(set(named.values())))
        return {path: contents[blob] for path, blob in named.items()}

    def diff(self, base: str, other: str, *, without: str = "") -> bytes:
        """The canonical diff between two commits or trees: `git apply` accepts it, and equal trees give equal bytes.

        `without` is a folder, ending in a slash, that is left out.
        """
        paths = ("--", ".", f":(exclude,top){without}") if without else ()
        return self.desk.run(*DIFF, *PATCH, object_id(base), object_id(other), *paths).out

    def diff_stat(self, base: str, other: str) -> Stat:
        pair = object_id(base), object_id(other)
        found = self._stats.get(pair)
        return found or self._stats.put(pair, trees.stat(self.desk.run(*DIFF, "--numstat", "-z", *pair).out)[0])

    def compare(self, base: str, other: str) -> tuple[bytes, Stat]:
        """Both, of one git."""
        pair = object_id(base), object_id(other)
        stat, patch = trees.stat(self.desk.run(*DIFF, "--numstat", "-z", *PATCH, *pair).out)
        return patch, self._stats.put(pair, stat)

    def read_trailers(self, commit: str) -> dict[str, str]:
        wanted = "--format=%(trailers:only=true,unfold=true,separator=%x00,key_value_separator=%x01)"
        text = self.desk.run("log", "-1", "--no-walk", "--encoding=UTF-8", wanted, object_id(commit)).text
        pairs = (line.partition("\x01") for line in text.split("\0"))
        return {key: value for key, _, value in pairs if key}

    def read_commit(self, commit: str) -> Commit | None:
        """None where the object is gone."""
        found = self.desk.run("cat-file", "commit", object_id(commit), accept=(0, 128))
        return None if found.status else trees.commit(found.out)

    def tags(self, prefix: str) -> dict[str, Tag]:
        """Every tag below the prefix; a plain one has its own commit as target and no message."""
        found = {}
        for name, head in self.refs((prefix,)).items():
            answer = self.desk.run("cat-file", "tag", head, accept=(0, 128))
            found[name] = Tag(head, "", "", 0) if answer.status else trees.tag(answer.out)
        return found

    def is_ancestor(self, older: str, newer: str) -> bool:
        # Not at the desk, which doesn't know where the history of a shallow clone ends.
        words = ("merge-base", "--is-ancestor", object_id(older), object_id(newer))
        return not self.user.run(*words, accept=(0, 1)).status

    def merge_base(self, one: str, other: str) -> str | None:
        """Where two histories parted; None where they never met."""
        found = self.user.run("merge-base", object_id(one), object_id(other), accept=(0, 1))
        return found.text.split("\n")[0] or None

    def count_between(self, old: str, new: str) -> int:
        return int(self.user.run("rev-list", "--count", object_id(new), "--not", object_id(old)).text)

    def person(self) -> Identity:
        """Who git says is at work here; autopack where nobody was configured."""
        found = self.user.run("var", "GIT_COMMITTER_IDENT", accept=(0, 1, 128))
        name, _, rest = found.text.partition(" <")
        email = rest.partition(">")[0]
        return (
            Identity(name, email) if not found.status and name and email else Identity("autopack", "autopack@localhost")
        )

    def line_of(self, run_id: str, head: str) -> tuple[str, ...]:
        """The commits of a run below `head`, by first parents, oldest first."""
        wanted = "--format=%H%x00%(trailers:key=Autopack-Run,valueonly=true)%x00"
        words = self.desk.run("log", "--first-parent", "-z", wanted, object_id(head), "--").text.split("\0")
        found = []
        for commit, run in zip(words[0::3], words[1::3], strict=False):
            if run.strip() != run_id:
                break
            found.append(commit.strip())
        return tuple(reversed(found))

    def damaged_objects(self, head: str, base: str | None) -> str:
        """What git says of the objects between `base` (or the beginning) and `head`; empty when each is sound."""
        without = ("--not", object_id(base)) if base else ()
        words = ("rev-list", "--objects", "--verify-objects", object_id(head), *without)
        found = self.user.run(*words, accept=(0, 1, 128))
        said = found.err.strip()  # a wrong hash is told here, and git goes on and ends with 0
        return said or (f"git rev-list ended with {found.status}" if found.status else "")

    def tree(self, commit: str) -> str:
        """The tree of a commit."""
        rev = f"{object_id(commit)}^{{tree}}"
        known = self._trees.get(commit)
        return known or self._trees.put(commit, self.desk.run("rev-parse", "--verify", "--end-of-options", rev).text)

    def object_folders(self) -> tuple[str, ...]:
        """Every folder that objects come from, in the spelling of `objects/info/alternates`."""
        if (known := self._objects.get("")) is not None:
            return known
        lines = self.desk.run("count-objects", "-v").text.split("\n")
        others = tuple(line.removeprefix("alternate: ") for line in lines if line.startswith("alternate: "))
        return self._objects.put("", (os.path.join(self.common_dir, "objects"), *others))

    # What is new -----------------------------------------------------------------------------------------------

    def write_tree(self, base: str, changes: Mapping[str, FileChange], present: Iterable[Entry] | None = None) -> str:
        """The tree of `base` (commit or tree) with the changes made, all or none. Raises TreeRefused.

        `present` are the entries of `base`, where they are known.
        """
        with tempfile.TemporaryDirectory(prefix="tree-", dir=self.folder.path) as scratch:
            git = self.desk.seeing(scratch, GIT_INDEX_FILE=os.path.join(scratch, "index"))
            git.run("read-tree", object_id(base))
            known = self.list_names(base) if present is None else tuple(present)
            modes = {entry.path: entry.mode for entry in known}
            trees.check(changes, modes)
            written = blobs.write(git, changes)
            info = trees.index_info(changes, written, modes, self.nothing)
            said = git.run("update-index", "-z", "--index-info", given=info).err
            if said:  # it says "Ignoring path" of names that some system would take for .git, and goes on
                path = next((path for path in changes if path in said), self.place)
                raise TreeRefused(path, "is a name that git refuses", "Choose another name.", said)
            # Nothing is looked up: what was there was there, what is new has just been written.
            tree = git.run("write-tree", "--missing-ok").text
        self._listings.put(tree, trees.changed(known, changes, written))
        return tree

    def commit(self, tree: str, parents: Sequence[str], message: str, at: int, author: Identity) -> str:
        """`at` in seconds since the epoch. Author and committer are the same."""
        name, email, date = author.name, author.email, f"@{at} +0000"
        git = self.desk.seeing(
            GIT_AUTHOR_NAME=name,
            GIT_AUTHOR_EMAIL=email,
            GIT_AUTHOR_DATE=date,
            GIT_COMMITTER_NAME=name,
            GIT_COMMITTER_EMAIL=email,
            GIT_COMMITTER_DATE=date,
        )
        parentage = [word for parent in parents for word in ("-p", object_id(parent))]
        made = git.run("commit-tree", *parentage, "-F", "-", object_id(tree), given=message_bytes(message)).text
        self._trees.put(made, tree)
        return made

    def make(self, ref: str, at: str, owner: str) -> bool:
        """A branch that must not be there yet; False when it is. The same again for the same owner is success.

        Two that make it at the same commit in the same instant are told apart by its log, which is written with it.
        """
        self._writable(ref, "refs/heads/")
        said = f"autopack: made for {owner}"
        if self._write_ref(ref, object_id(at), None, ("--create-reflog", "-m", said)) != at:
            return False
        log = self.user.run("reflog", "show", "--format=%gs", ref, "--", accept=(0, 128)).text.split("\n")
        return log[-1] in (said, "")  # empty where somebody has let the log expire

    def advance(self, ref: str, new: str, old: str | None) -> bool:
        """Move `ref` from `old` (None: not there) to `new`; False when it is elsewhere. Already at `new` is success."""
        self._writable(ref, "refs/heads/")
        return self._write_ref(ref, object_id(new), old and object_id(old)) == new

    def tag(self, name: str, commit: str, message: str, at: int, tagger: Identity) -> None:
        """An annotated tag, `name` short or full. The same again is fine; raises TagRefused when it says otherwise."""
        ref = name if name.startswith("refs/") else f"refs/tags/{name}"
        self._writable(ref, "refs/tags/")
        head = f"object {object_id(commit)}\ntype commit\ntag {ref.removeprefix('refs/tags/')}\n"
        signed = f"tagger {one_line(tagger.name)} <{one_line(tagger.email)}> {at} +0000\n\n"
        new = self.desk.run("mktag", given=(head + signed).encode() + message_bytes(message)).text
        there = self._write_ref(ref, new, None)
        if there != new:
            action = "Give the run another id, or delete the tag of the run that left it."
            raise TagRefused(self.place, f"{ref} is there already and says something else ({there})", action)

    # Parts -----------------------------------------------------------------------------------------------------

    def _writable(self, ref: str, kind: str) -> None:
        """The one guard: whatever is written to a ref passes here."""
        allowed = any(ref == name or (name.endswith("/") and ref.startswith(name)) for name in self.writes)
        if allowed and ref.startswith(kind) and not _NO_REF.search(ref):
            return
        fact = f"{ref!r} is not a ref that a run may write; it may write {', '.join(self.writes)}"
        raise RefRefused(self.place, fact, "Correct `integration_branch` in autopack.yaml.")

    def _write_ref(self, ref: str, new: str, old: str | None, log: Sequence[str] = LOG) -> str | None:
        """Where the ref is afterwards. The reflog is given a name, else git would look for the user's."""
        git = self.user.seeing(GIT_COMMITTER_NAME="autopack", GIT_COMMITTER_EMAIL="autopack@localhost")
        # --no-deref: a symbolic ref put there could otherwise carry the write to any branch.
        words = ("update-ref", "--no-deref", *log, ref, new, old or self.nothing)
        began = time.time()
        try:
            answer = git.run(*words, accept=(0, 1, 128), tries=1)
        except GitKilled:
            self._unlock(ref, began)
            answer = git.run(*words, accept=(0, 1, 128))
        if answer.status == 0:
            return new
        if "cannot create" in answer.err:
            action = "Rename the branch or tag that is in the way, or choose another run id."
            raise RefRefused(self.place, f"{ref} has no room beside a ref that is there", action, answer.err)
        head = self.branch_head(ref)
        if head != old:
            return head
        git.run(*words)  # nobody moved it, so something else is in the way: raises what it is, if it still is
        return new

    def _unlock(self, ref: str, began: float) -> None:
        """The lock that a git of ours, killed, has left: nobody else writes this ref. An older one stays."""
        lock = Path(self.common_dir, f"{ref}.lock")
        with suppress(FileNotFoundError):
            if lock.stat().st_mtime >= began - CLOCK_TICK_S:
                lock.unlink()
