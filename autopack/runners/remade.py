"""A candidate whose objects are gone, made again to the letter.

No ref holds a candidate until it lands, because the user's refs are the user's: `git gc --prune=now` (or `git prune`)
in their repository takes it away. The journal has its patch, its base and its time, so it gets the same id again.
"""

from autopack.journal.store import Store
from autopack.run import events as ev
from autopack.runners import git


def remade(store: Store, run_id: str, repository: git.Repository, commit: str, message: str, by: git.Identity) -> bool:
    """Whether `commit` was a candidate of this run, and now is there again with all it holds. Raises git.GitError."""
    made = ev.PatchAccepted.__name__, ev.Rebased.__name__
    found = next((e for e in store.events(run_id) if e.type in made and e.body["commit"] == commit), None)
    if found is None:
        return False
    intent = store.intents(run_id)[found.body["key"]]
    onto = intent.body["head" if found.type == made[1] else "base"]
    words = f"Carried onto {onto}\n{message.partition(chr(10))[2]}" if found.type == made[1] else message
    tree = git.patched_tree(repository, onto, store.blob(found.body["patch"]))
    return repository.commit(tree, [onto], words, int(intent.at), by) == commit
