"""Phrased: a property that is asked for by its name alone (*population of Halmoholm*), put as a question. Pure."""

import re
from functools import lru_cache

from activities.research.lexicon import groups_of, table_of, words_of
from activities.research.text import stem

_ROLES = frozenset(stem(word) for _, who, *_ in table_of("roles").values() for word in who.split())
_TIMES = frozenset(map(stem, ("year", "date", "day", "month")))
_PROPERTIES = (
    _ROLES
    | _TIMES
    | frozenset(stem(word) for word in words_of("measures"))
    | frozenset(stem(word) for rows in table_of("asks").values() for row in rows for word in row.split())
    | frozenset(stem(word) for group in groups_of("attributes") for word in group)
)
_NAMED = re.compile(
    r"(?:(?:please )?(?:name|state|give(?: me)?|tell me|find(?: out)?|look up|i need(?: to know)?) )?(?:(?:the|its) )?"
    r"(?P<property>(?:[\w-]+ ){0,3}?[\w-]+)(?: (?:needed|required|stated|given|printed|reported|measured))? "
    r"(?:of|for|in|at) (?P<rest>(?:the )?(?-i:[A-ZÀ-Ý\d]).*)",
    re.IGNORECASE,
)
_NO_NAME = re.compile(
    r"(?:what|which|who|whom|whose|how|why|when|where|is|are|was|were|do|does|did|can|could|should|will|has|have|had)\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=4_096)
def as_question(phrase: str) -> str:
    """Return a question with its question word; what names no property of something named stays as it is.

    *Mayor of Halmoholm* -> *Who is the mayor of Halmoholm?*, *memory needed for Ulgad* -> *What is the memory needed
    for Ulgad?*
    """
    asked = phrase.strip()
    match = None if _NO_NAME.match(asked) else _NAMED.fullmatch(asked)
    if match is None:
        return phrase
    said = match["property"].lower().split(" of ")[0].split()
    if said[-1].endswith("s") and not said[-1].endswith("ss"):
        return phrase  # Limits of Python: an account is asked for.
    known = _PROPERTIES.intersection(map(stem, said))
    if not known:
        return phrase
    word = "Who" if known <= _ROLES else "What"
    rest = asked[match.start("property") :].rstrip("?. ")
    return f"{word} is the {rest if rest[:2].isupper() else rest[0].lower() + rest[1:]}?"
