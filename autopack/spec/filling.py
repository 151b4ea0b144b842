"""What templates are filled in with; apart from `template`, because most files hold none."""

from collections.abc import Mapping

from autopack.problem.typed import Any, NamedTuple


class Filling(NamedTuple):
    """`more` holds `item` or `matrix`."""

    inputs: Mapping[str, object]
    project: str
    more: Mapping[str, Any] = {}
