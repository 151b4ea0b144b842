"""A place in what was written, before anybody asks for its line."""

from autopack.problem.typed import NamedTuple

Step = str | int
Steps = tuple[Step, ...]


class At(NamedTuple):
    """A document's path and the way from its root, `("tiers", 0, "id")`."""

    path: str
    steps: Steps = ()

    def to(self, *more: Step) -> "At":
        return At(self.path, self.steps + more)
