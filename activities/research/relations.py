"""Relations: the names that stand to the subject of a sentence in a relation that holds to one name only.

Who made, wrote, leads or won something, and where it is. Verbs and roles are data (`lexicon.toml`); the forms in which
English puts them (by X; X wrote; the author is X; its author, X; a novel by X) are here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from activities.research.lexicon import table_of, words_of
from activities.research.text import STOP_WORDS, stem, words

_N = r"(?:(?!(?:OPENERS)\b)[A-ZÀ-Ý][\w.&'’-]*(?:\s+(?:of|de|van|von|the|and|&)\s+(?=[A-ZÀ-Ý]))?\s*){1,5}".replace(
    "OPENERS", "|".join(sorted(word.capitalize() for word in STOP_WORDS if word.isalpha() and len(word) > 1))
)
"""A name: up to five words with capitals; not the word that a sentence begins with (Under Jane Roe as mayor)."""
_SMALL = r"(?:(?:the|an?|its|their|his|her|one) )?(?:[a-zà-ý-]+ ){0,3}?"
_WHEN = r"(?: (?:in|on|at|around|entirely|originally|\w+ly)(?: [\w. ]{1,24}?)?)?"
_IS = r"(?:is|was|are|were|has been|had been|remains|became)"
_OF = r"(?: (?:of|at|for|in) [^,.;]+?)?"
_OFFICE = r"(?:post|office|position|job|role|title|chair|seat)"
_CHOSEN = (
    r"(?:elected|re-elected|elects|appointed|appoints|named|names|chosen|chose|picked|picks|hired|made|installed|"
    r"confirmed|nominated|voted|sworn in|crowned)"
)

_WHO_IS = r"NAME,? (?:(?:who|which) )?"

_AGENT_FORMS = (
    rf"\bWHO{_OF} {_IS} (?:(?:called|named) )?{_SMALL}NAME",
    rf"\bWHO{_OF} {_IS} the NAME",
    rf"{_WHO_IS}{_IS} (?![a-z]+ (?:from|by|with|to)\b)(?:[Aa]lso |now |still |again )?{_SMALL}WHO\b",
    rf"{_WHO_IS}{_IS} (?:[\w]+ )?{_CHOSEN} (?:as |to be |to the {_OFFICE} of )?{_SMALL}WHO\b",
    rf"{_WHO_IS}(?:serve[sd]|act(?:s|ed)|works|signs|t(?:akes|ook) over|took office|stays on) as {_SMALL}WHO\b",
    rf"{_WHO_IS}(?:holds|held|has|took|takes|fills|occupies|got) (?:the )?{_OFFICE} (?:of |as ){_SMALL}WHO\b",
    rf"\b{_OFFICE} of {_SMALL}WHO{_OF} (?:(?:{_IS} )?(?:held|filled|taken) by|(?:went|goes) to|{_IS}) NAME",
    rf"\b(?:{_CHOSEN}|ha[sd]|have|[Ww]ith|[Uu]nder) NAME(?:as |to be |for )?(?:its |their |the |an? )?{_SMALL}WHO\b",
    rf"(?:['’]s|\b[Ii]ts|\b[Tt]heir|\b[Tt]he|\bby|\bits? new) {_SMALL}WHO,? (?:(?:called|named) )?(?:[Dd]r\.? )?NAME",
    r"\bWHO (?:called|named) (?:[Dd]r\.? )?NAME",
    rf"(?<!\bas )\bWHO{_OF}, (?:[Dd]r\.? )?NAME(?=[,.;:)]|$|and\b|said\b|told\b)",
    rf"\bWHO{_OF}\s*[:–—]\s*(?:[Dd]r\.? )?NAME",
    rf"NAME, (?:(?:the|an?|its|their|now|then|also) )?{_SMALL}WHO\b(?! ?(?:[Dd]r\.? )?[A-ZÀ-Ý])",
)
"""WHO: somebody who does it, by name of the role."""
_DEED_FORMS = (
    rf"\bDONE{_WHEN} by {_SMALL}NAME",
    r"NAME(?:has |had |have |also |first )?(?:\w+ly )?\bDONE (?!(?:of|by|in|from|with|at|on|to|for|as) )"
    r"(?:(?:the|an?|its)\b ?)?(?:[a-z]+ ){0,3}?(?=[\"“\dA-Z])",
    r"NAME(?:also |now |still )?DOES (?:the |its |an? )?(?:[a-z]+ ){0,2}?(?=[\"“A-Z])",
    r"NAME, (?:which|who) (?:also |first )?DID\b",
    rf"\b[Ii]t (?:is|was) {_SMALL}NAME(?:that|which|who) (?:also |first )?DID\b",
    rf"\b(?:company|firm|people|person|man|woman|team|one|somebody|someone) (?:that|which|who) DID [^,.;]+? {_IS} NAME",
    rf"\bDOING .{{2,60}}? (?:belongs|goes|is due|went) to {_SMALL}NAME",
    r"NAME(?:is|was|are|were) credited (?:with|for) (?:\w+ )?DOING\b",
    rf"\bWORK by {_SMALL}NAME",
)
"""DONE: its past, DOES: its present, DID: either, DOING: its gerund, WORK: what comes of it."""


@dataclass(frozen=True)
class Relation:
    """A name in a relation to the subject: made by X, headquartered in Y."""

    kind: str
    value: frozenset[str]


@dataclass(frozen=True)
class _Kind:
    name: str
    cues: frozenset[str]
    """It is looked for only where one of these words stands."""
    patterns: tuple[re.Pattern[str], ...]


def _kind(name: str, done: str, who: str, works: str, does: str = "") -> _Kind:
    said = {"DONE": done, "DOES": does, "DOING": _gerunds(done), "DID": f"{done} {does}" if done else "", "WORK": works}
    patterns = [_filled(form, {word: _either(said[word]) for word in said}) for form in _DEED_FORMS]
    agent = f"(?i:{_either(who)})(?: executive)?(?: officer)?" if who else ""
    patterns += [_filled(form, {"WHO": agent}) for form in _AGENT_FORMS]
    return _Kind(
        name, frozenset(words(" ".join((who, *said.values())))), tuple(_named(each) for each in patterns if each)
    )


def _filled(form: str, said: Mapping[str, str]) -> str | None:
    """Write words for the placeholders of a form; None where there is no word for one.

    What was done may be said with something else (designed and built by).
    """
    for placeholder, alternatives in said.items():
        if placeholder in form:
            if not alternatives:
                return None
            joined = (
                rf"(?:[a-z]+ed and )?(?:{alternatives})(?: and [a-z]+ed)?" if placeholder == "DONE" else alternatives
            )
            form = form.replace(placeholder, f"(?:{joined})")
    return form


def _named(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("NAME", f"(?P<name>{_N})"))


def _either(listed: str) -> str:
    return "|".join(re.escape(word) for word in listed.split())


def _gerunds(done: str) -> str:
    return " ".join(f"{word.removesuffix('ed')}ing" for word in done.split() if word.endswith("ed"))


def _cues(patterns: Sequence[str]) -> frozenset[str]:
    """Return the words of expressions; with and without the letter that may stand at the end (buys?)."""
    found = re.findall(r"([a-z]{2,})(\??)", " ".join(patterns).lower())
    return frozenset(form for word, may in found for form in ({word, word[:-1]} if may else {word}) if len(form) > 2)


_KINDS = tuple(_kind(name, *rows) for name, rows in table_of("roles").items()) + tuple(
    _Kind(name, _cues(patterns), tuple(map(_named, patterns)))
    for name, patterns in (*table_of("sayings").items(), *table_of("places").items())
)
KINDS = frozenset(kind.name for kind in _KINDS)
"""The relations that are known by name."""
_CUES = {
    name: frozenset(words(" ".join((done, who, *does)))) for name, (done, who, _, *does) in table_of("roles").items()
}


@lru_cache(maxsize=4_096)
def relations_asked(question: str) -> frozenset[str]:
    """Return the kinds of relations that the words of a question ask for (who makes X: maker)."""
    used = frozenset(words(question))
    return frozenset(name for name, cues in _CUES.items() if cues & used)


_ROLE_WORDS = words_of("role_names")
_SUFFIXES = words_of("name_suffixes")


_DONE_BY = _named(rf"\b(?P<done>[a-z]{{3,}}ed){_WHEN} by {_SMALL}NAME")
_MANY = words_of("done_by_many")
"""What several can do to one thing (used by X does not contradict used by Y)."""


@lru_cache(maxsize=16_384)
def relations_of(text: str) -> tuple[Relation, ...]:
    """Return the names that stand in a known relation to the subject of a sentence."""
    found: dict[Relation, None] = {}
    used = frozenset(words(text))
    for kind in _KINDS:
        if not kind.cues & used:
            continue
        for pattern in kind.patterns:
            for match in pattern.finditer(text):
                if value := _words_of_name(match["name"]):
                    found[Relation(kind.name, value)] = None
    for match in _DONE_BY.finditer(text):
        value = _words_of_name(match["name"])
        if value and match["done"] not in _MANY and not any(value == each.value for each in found):
            found[Relation(f"{stem(match['done'])} by", value)] = None
    return tuple(found)


def _words_of_name(name: str) -> frozenset[str]:
    skipped = _ROLE_WORDS | _SUFFIXES
    return frozenset(word for word in words(name) if word not in skipped and not word.isdigit() and len(word) > 1)


def same_name(left: frozenset[str], right: frozenset[str]) -> bool:
    """Tell whether two names may be one: a shared word, or the one's initials (GPL, General Public License)."""
    if left & right:
        return True
    initials = [("".join(sorted(word[0] for word in each)), other) for each, other in ((left, right), (right, left))]
    return any("".join(sorted(word)) == short for short, other in initials for word in other if len(word) > 1)
