"""Text: words, their stems, and a text's readable form. Pure."""

import re
import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache

import snowballstemmer

from activities.research.lexicon import words_of

WORD = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+(?:['’][^\W_]+)?")

_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9d]+")
"""Runs of the scripts that put no spaces between words: Thai, kana, Han."""

STOP_WORDS = words_of("stop_words")
FUNCTION_WORDS = STOP_WORDS | words_of("function_words")
"""Words that a sentence has and a heading, a table row or a line of code has not."""

GENERIC_WORDS = words_of("generic_words")
"""Words of a question that say little about what it is about; they weigh little in a search."""

_STEMMER = snowballstemmer.stemmer("english")
_STEMMER_LOCK = threading.Lock()


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Return the stem of a lower-case word; possessive endings fall away first."""
    word = word.replace("’", "'")
    word = word.removesuffix("'s")
    with _STEMMER_LOCK:  # The stemmer keeps its state in itself.
        return str(_STEMMER.stemWord(word))


@lru_cache(maxsize=65_536)
def singular(word: str) -> str:
    """Return a lower-case word without plural or possessive ending; nearer to the word than its stem is."""
    word = word.replace("’", "'").removesuffix("'s").removesuffix("'")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@lru_cache(maxsize=65_536)
def uninflected(word: str) -> str:
    """Return a lower-case word without the endings of its forms (chained, chaining, chains); *generator* stays."""
    word = singular(word)
    if len(word) > 4 and word.endswith("ied"):
        return word[:-3] + "y"
    for ending in ("ing", "ed"):
        if len(word) > len(ending) + 2 and word.endswith(ending):
            word = word.removesuffix(ending)
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
                word = word[:-1]
            break
    return word.removesuffix("e") if len(word) > 3 else word


def words(text: str) -> list[str]:
    """Return the word tokens of `text`, lower-case; pairs of characters where a script puts no spaces between words.

    Pairs are how search engines index such scripts without a dictionary (Lucene's CJKBigramFilter).
    """
    found = [word.lower() for word in WORD.findall(text)]
    return (
        found if text.isascii() or not _UNSPACED.search(text) else [part for token in found for part in _parts(token)]
    )


def _parts(token: str) -> Iterator[str]:
    position = 0
    for run in _UNSPACED.finditer(token):
        if run.start() > position:
            yield token[position : run.start()]
        characters = run.group()
        yield from [characters[at : at + 2] for at in range(len(characters) - 1)] or [characters]
        position = run.end()
    if position < len(token):
        yield token[position:]


def is_unspaced(text: str) -> bool:
    """Tell whether most letters of a text belong to a script that puts no spaces between words."""
    return 2 * sum(map(len, _UNSPACED.findall(text))) > sum(1 for character in text if character.isalpha())


def is_other_script(text: str) -> bool:
    """Tell whether most letters of a text are neither Latin nor of its kin: lists of English words say nothing then."""
    if text.isascii():
        return False
    letters = [character for character in text if character.isalpha()]
    return 2 * sum(1 for character in letters if character > "\u036f") > len(letters)


def as_sentence(quote: str) -> str:
    """Return a quotation as a sentence of a report: what announced code with a colon ends like any other."""
    shown = display(quote)
    if shown.endswith(":"):
        return f"{shown[:-1]}."
    return shown


def count_words(texts: Iterable[str]) -> int:
    """Count the word tokens of all `texts`."""
    return sum(len(words(text)) for text in texts)


@lru_cache(maxsize=16_384)
def terms(text: str) -> tuple[str, ...]:
    """Return the stems of the content words of `text`, in order, with repetitions."""
    return tuple(stem(word) for word in words(text) if word not in STOP_WORDS)


def normalise(text: str) -> str:
    """Collapse white space: the only change that separates a claim's text from its quote."""
    return " ".join(text.split())


_DISPLAY: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^\[!\w+\]\s*"), ""),
    (re.compile(r"(?<=\w)\s*<(?:https?|mailto):[^<>\s]+>(?:__?)?(?!\w)"), ""),
    (re.compile(r"(?<!\w):[a-z]+(?::[a-z]+)?:[.~]?(?=\w[\w.]*)"), ""),
    (re.compile(r"!\[[^\]]*\]\([^)\s]*\)"), ""),
    (re.compile(r"\[([^\]\[]+)\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+\"[^\"]*\")?\)"), r"\1"),
    (re.compile(r"\[([^\]\[]+)\]\[[^\]\[]*\]"), r"\1"),
    (re.compile(r":[\w:+.-]+:`~?([^`<]+?)(?:\s*<[^>`]*>)?`"), r"\1"),
    (re.compile(r"`([^`<]+?)\s*<[^>`]*>`__?"), r"\1"),
    (re.compile(r"`([^`]+)`__?(?!\w)"), r"\1"),
    (re.compile(r"``([^`]+)``"), r"\1"),
    (re.compile(r"(?<!\w)(\*{1,3}|_{2,3}(?=[A-Z]))(?=\S)([^*]+?)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"`"), ""),
)


@lru_cache(maxsize=16_384)
def display(text: str) -> str:
    """Return `text` as a reader wants it: one line, without inline markup of Markdown or reStructuredText."""
    text = normalise(text)
    for pattern, replacement in _DISPLAY:
        text = pattern.sub(replacement, text)
    return normalise(text)
