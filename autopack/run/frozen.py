"""`replace` for the frozen, slotted values of a run.

The machine copies a dozen of them for each event, and with dataclasses' own `replace` that is two thirds of what an
event takes: it looks up every field by name and runs the generated `__init__`. Here one copier is made for each class,
as dataclasses makes its methods, of the slots' own descriptors.
"""

from typing import TYPE_CHECKING, Any

__all__ = ["replace"]

if TYPE_CHECKING:
    from dataclasses import replace
else:
    _COPIERS: dict[type, Any] = {}

    def replace(value: Any, /, **changes: Any) -> Any:
        """A copy with some fields changed; no `__post_init__` is run. Raises TypeError for a field there is not."""
        copier = _COPIERS.get(type(value)) or _made(type(value))
        return copier(value, changes)

    def _made(cls: type) -> Any:
        fields = tuple(cls.__dataclass_fields__)
        put = {name: getattr(cls, name).__set__ for name in fields}
        lines = [f" put_{name}(made, value.{name})" for name in fields]
        source = "def copier(value, changes):\n made = new(cls)\n" + "\n".join(lines) + "\n" + _CHANGES
        names = {f"put_{name}": setter for name, setter in put.items()} | {
            "new": object.__new__,
            "cls": cls,
            "put": put,
        }
        exec(source, names)  # noqa: S102 - of field names only, which are identifiers
        _COPIERS[cls] = names["copier"]
        return names["copier"]

    _CHANGES = """\
 try:
  for name, changed in changes.items():
   put[name](made, changed)
 except KeyError:
  raise TypeError(f"{cls.__name__} has no field {name}") from None
 return made
"""
