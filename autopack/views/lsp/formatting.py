"""`fmt` in an editor: one replacement of the whole text, or none."""

from lsprotocol.types import TextEdit

from autopack.spec.source import BOM
from autopack.views import rewriting
from autopack.views.lsp.workspace import Workspace
from autopack.views.rewriting import Left

__all__ = ["Left", "formatted"]


def formatted(workspace: Workspace, place: str) -> list[TextEdit]:
    """Raises Left."""
    text = workspace.text(place)
    source = text.text.encode("utf-8", "surrogatepass")
    after = rewriting.text(workspace.path(place), source, rewriting.fmt).removeprefix(BOM).decode()
    return [] if after == text.text else [TextEdit(text.between(0, len(text.text)), after)]
