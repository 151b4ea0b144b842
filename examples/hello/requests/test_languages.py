"""Request 1: greet people in their own language, and say clearly when we don't speak it."""

import pytest
from hello import greet
from hello.phrasebook import UnknownLanguage, languages


@pytest.mark.parametrize(
    ("language", "expected"), [("en", "Hello, Ada!"), ("de", "Guten Tag, Ada!"), ("fr", "Bonjour, Ada !")]
)
def test_a_person_is_greeted_in_their_language(language: str, expected: str):
    assert greet("Ada", language) == expected


def test_english_stays_the_default():
    assert greet("Ada") == "Hello, Ada!"


def test_a_language_we_do_not_speak_is_named_with_those_we_do():
    with pytest.raises(UnknownLanguage, match="'xx'; we speak de, en, fr"):
        greet("Ada", "xx")
    assert languages() == ("de", "en", "fr")
