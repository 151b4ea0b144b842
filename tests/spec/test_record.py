"""Records behave like frozen dataclasses, also before and after a class gets an `__init__` of its own."""

import pytest

from autopack.spec.record import MADE_PLAINLY, field, record


def _kind() -> type:
    @record
    class Parcel:
        name: str
        weight: int = 3
        labels: dict[str, str] = field(default_factory=dict)

    return Parcel


def test_the_first_and_the_later_ones_are_made_alike() -> None:
    kind = _kind()
    made = [kind("a", weight=number) for number in range(MADE_PLAINLY + 2)]
    assert [each.weight for each in made] == list(range(MADE_PLAINLY + 2))
    assert made[0].labels == made[-1].labels == {}
    assert made[0].labels is not made[1].labels
    assert made[-2].labels is not made[-1].labels


@pytest.mark.parametrize("before", [0, MADE_PLAINLY + 1])
@pytest.mark.parametrize(
    ("values", "named", "told"),
    [
        ((), {}, "missing 1 required positional argument: 'name'"),
        (("a",), {"colour": "red"}, "unexpected keyword argument 'colour'"),
        (("a",), {"name": "b"}, "multiple values for argument 'name'"),
        (("a", 1, {}, 4), {}, "takes from 2 to 4 positional arguments but 5 were given"),
    ],
)
def test_wrong_arguments_are_told_as_python_tells_them(
    before: int, values: tuple[object, ...], named: dict[str, object], told: str
) -> None:
    kind = _kind()
    for _ in range(before):
        kind("a")
    with pytest.raises(TypeError, match=told):
        kind(*values, **named)
