"""Lexicon: the word lists and the table of units, which are data (`lexicon.toml`)."""

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any


@lru_cache(maxsize=1)
def _lexicon() -> dict[str, Any]:
    return tomllib.loads(files("activities.research").joinpath("lexicon.toml").read_text("utf-8"))


def words_of(name: str) -> frozenset[str]:
    """Return a list of words."""
    return frozenset(_lexicon()["words"][name].split())


def groups_of(name: str) -> tuple[tuple[str, ...], ...]:
    """Return groups of words of one meaning, in order."""
    return tuple(tuple(group.split()) for group in _lexicon()["groups"][name])


def pairs_of(name: str) -> tuple[tuple[str, str], ...]:
    """Return pairs of opposites; each side may be several words."""
    return tuple((left, right) for left, _, right in (pair.partition("|") for pair in _lexicon()["pairs"][name]))


def table_of(name: str) -> dict[str, list[str]]:
    """Return a table of named rows."""
    table: dict[str, list[str]] = _lexicon()[name]
    return table


def rows_of(name: str) -> tuple[str, ...]:
    """Return a list of lines."""
    return tuple(_lexicon()["lines"][name])
