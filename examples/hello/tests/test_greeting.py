import pytest
from hello import greet


def test_a_person_is_greeted_by_name():
    assert greet("Ada") == "Hello, Ada!"


def test_white_space_around_a_name_does_not_matter():
    assert greet("  Ada ") == "Hello, Ada!"


def test_nobody_is_not_greeted():
    with pytest.raises(ValueError, match="nobody"):
        greet("   ")
