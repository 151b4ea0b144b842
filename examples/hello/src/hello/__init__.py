"""Greetings."""

from hello.greeting import greet

__all__ = ["greet"]
