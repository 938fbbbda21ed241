"""Numbering: numbers that name a thing rather than measure it (port 1597, line 4). Pure."""

import re
from decimal import Decimal

from activities.research.questions import thing_asked
from activities.research.text import STOP_WORDS, stem, words


def numbered_asked(question: str) -> str | None:
    """Return the stem of the one thing whose number is asked for; *which ports* may have several answers."""
    thing = thing_asked(question)
    return thing if thing and any(stem(word) == thing and not word.endswith("s") for word in words(question)) else None


_NUMBER_OF = (
    re.compile(r"\b([A-Za-z]{2,}) (?:(?:number|no\.|nr\.) )?(\d{1,6})\b(?![.,]\d)"),
    re.compile(
        r"\b[Tt]he (?:[a-z-]+ )*?([a-z]{2,})(?: (?:of|for|in|on) [^,;.]{1,60}?)? (?:is|was) "
        r"(\d{1,6})(?![.,]?\d)(?=[.,;)]|\Z)"
    ),
)
"""Port 1597; the default port of Corvid is 1597."""


def numbered(thing: str, text: str) -> Decimal | None:
    """Return the number that names a thing (port 1597), whatever it looks like; None for none, or for several."""
    found = {
        Decimal(number) for form in _NUMBER_OF for word, number in form.findall(text) if stem(word.lower()) == thing
    }
    return found.pop() if len(found) == 1 else None


def numbered_apart(left: str, right: str) -> bool:
    """Tell whether two texts number one thing, and not alike (port 8079, port 9546); names are none (RFC 3986)."""
    ours, theirs = _numbered_things(left), _numbered_things(right)
    return any(ours[thing] != theirs[thing] for thing in ours.keys() & theirs.keys())


def _numbered_things(text: str) -> dict[str, str]:
    found = [each for form in _NUMBER_OF for each in form.findall(text)]
    return {stem(word): number for word, number in found if word.islower() and word not in STOP_WORDS}
