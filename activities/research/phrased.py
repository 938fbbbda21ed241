"""Phrased: what is asked for in key words (*population of Halmoholm*, *Halmoholm population*) as a question. Pure."""

import re
from collections.abc import Sequence
from functools import lru_cache

from activities.research.lexicon import groups_of, table_of, words_of
from activities.research.text import STOP_WORDS, stem, words
from activities.research.units import unit_of

WORDS_MAX = 9
_ROLES = frozenset(stem(word) for row in table_of("roles").values() for word in row[1].split())
_MEASURABLE = frozenset(word for said in table_of("fits").values() for word in "".join(said).split())
_MEASURES = frozenset(map(stem, words_of("measures")))
_TIMES = ("year", "date", "day", "month")
_PROPERTIES = (
    _ROLES
    | frozenset(stem(word) for group in groups_of("attributes") if _MEASURABLE.intersection(group) for word in group)
    | frozenset(map(stem, (*_TIMES, "name", "number")))
    | _MEASURES
    | frozenset(stem(word) for rows in table_of("asks").values() for row in rows for word in row.split())
)
_COUNTED = frozenset(map(stem, words_of("counted") | words_of("collectives")))
_VERBS = words_of("verbs")
_COURTESY = re.compile(
    r"(?:please )?(?:(?:(?:can|could|would|will) you (?:please )?|please )?(?:tell|give|show|find|look up|name|state)"
    r"(?: me| us)?(?: out)?|(?:i|we) (?:need|want|would like|have)(?: to (?:know|find out))?|do you know) "
    r"(?=the |what |which |who |whose |whom |how |when |where |in )",
    re.IGNORECASE,
)
_ASKING = (
    r"(?:by |for |from |in |on |at |to |with |since )?(?:what|which|who|whom|whose|when|where|"
    r"how (?:many|much|long|high|tall|old|far|fast|deep|wide|heavy))"
)
_ASKS = re.compile(rf"(?:{_ASKING}|how|why|is|are|was|were|do|does|did|can|could|should|will|has|have|had)\b", re.I)
_ASKS_LAST = re.compile(rf"(?P<about>.+?)[:,;]? (?P<asking>{_ASKING})", re.IGNORECASE)
_NAME_OF = re.compile(r"(?:the )?names? of (?=the )", re.IGNORECASE)
_PROPERTY_OF = re.compile(
    r"(?:(?:the|its) )?(?P<property>(?:[\w-]+ ){0,3}?[\w-]+)"
    r"(?: (?:needed|required|stated|given|printed|reported|measured))? "
    r"(?P<of>of|for|in|at) (?:the )?(?:[a-z-]+ )?(?-i:[A-ZÀ-Ý\d]).*",
    re.IGNORECASE,
)
_TOLD_FIRST = re.compile(
    r"(?P<lead>[^?]+)[:;.,–] what (?:is|are|was|were) (?:its|their|his|her) (?P<property>[\w-]+(?: [\w-]+){0,3})",
    re.IGNORECASE,
)
_WHEN_DONE = re.compile(r"(?P<time>year|date|day|month)(?: that| when| in which)? (?P<done>(?:the )?[A-ZÀ-Ý].*)")
_NAME = r"(?:the )?[A-ZÀ-Ý\d][\w.-]*(?: (?:of |the )?[A-ZÀ-Ý\d][\w.-]*)*"
_NAME_FIRST = re.compile(rf"(?P<name>{_NAME})[,:]?(?P<property>(?: [\w-]+){{1,4}})")
_NAME_LAST = re.compile(
    rf"(?P<property>(?:[a-z][\w-]*[,:]? |[A-Z]{{2,4}} (?=[a-z])){{1,4}})(?P<name>{_NAME}(?: [a-z-]+)?)"
)


@lru_cache(maxsize=4_096)
def as_question(phrase: str) -> str:
    """Return a question that begins with its question word; what asks for no property of something named stays.

    *Mayor of Halmoholm* -> *Who is the mayor of Halmoholm?*, *Ulgad memory* -> *What is the memory of Ulgad?*,
    *could you give me the price of Ulgad* -> *What is the price of Ulgad?*
    """
    asked = _COURTESY.sub("", phrase.strip()).rstrip("?. ")
    if _ASKS.match(asked) and asked[:3] != phrase.strip()[:3]:
        return f"{asked[0].upper()}{asked[1:]}?"
    return _property_asked(asked) or phrase


def asks_for_property(phrase: str) -> bool:
    """Tell whether key words ask for one property of something named; *can you tell me how X works* asks for more."""
    return _property_asked(_COURTESY.sub("", phrase.strip()).rstrip("?. ")) is not None


@lru_cache(maxsize=4_096)
def _property_asked(asked: str) -> str | None:
    """Return the question that key words stand for; None where they ask for no property of something named."""
    if (told := _TOLD_FIRST.fullmatch(asked)) and (named := _names_in(told["lead"])):
        return f"What is the {told['property']} of {named[0]}?"
    if _ASKS.match(asked) or len(asked.split()) > WORDS_MAX:
        return None
    if last := _ASKS_LAST.fullmatch(asked):
        return f"{last['asking'].capitalize()} {last['about']}?"
    asked = _NAME_OF.sub("", asked).removeprefix("the ").removeprefix("The ")
    if done := _WHEN_DONE.fullmatch(asked[:1].lower() + asked[1:]):
        return f"In which {done['time']} was {done['done']}?"
    if match := _PROPERTY_OF.fullmatch(asked):
        said = match["property"].lower().split(" of ")[0].split()
        counted = _COUNTED.intersection(map(stem, words(match["property"])))
        plainly = (_ROLES | _MEASURES).intersection(map(stem, said))
        if match["of"] in ("in", "at") and not counted and not plainly:
            return None  # Energy in Europe: a topic.
        return _asking_for(said, _decapitalised(asked))
    for match in (_NAME_FIRST.fullmatch(asked), _NAME_LAST.fullmatch(_decapitalised(asked))):
        if match is None:
            continue
        said = re.sub("[,:]", "", match["property"]).split()
        while len(said) > 1 and said[-1] not in _TIMES and said[-2] != "per" and unit_of(said[-1]) is not None:
            said.pop()  # Tensile strength MPa.
        if not _VERBS.intersection(said) and (question := _asking_for(said, f"{' '.join(said)} of {match['name']}")):
            return question
    return None


def _names_in(text: str) -> list[str]:
    found = (match.group().removeprefix("the ") for match in re.finditer(_NAME, text))
    return [name for name in found if name.lower() not in STOP_WORDS]


def _asking_for(said: Sequence[str], what: str) -> str | None:
    """Put the question word before what is asked; None where nothing in `said` is known as a property."""
    known = _PROPERTIES.intersection(map(stem, said))
    if any(stem(word) in _COUNTED and word.endswith("s") for word in said):
        return f"How many {what}?"
    if not known or (said[-1].endswith("s") and not said[-1].endswith("ss")):
        return None  # Limits of Python: an account is asked for.
    return f"{'Who' if known <= _ROLES else 'What'} is the {what}?"


def _decapitalised(text: str) -> str:
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
