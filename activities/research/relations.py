"""Relations: the names that stand to the subject of a sentence in a relation that holds to one name only.

Who made, wrote, leads or won something, and where it is. Verbs and roles are data (`lexicon.toml`); the forms in which
English puts them (by X; X wrote; the author is X; its author, X; a novel by X) are here.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from activities.research.lexicon import table_of, words_of
from activities.research.text import stem, words

_N = r"(?:[A-ZÀ-Ý][\w.&'’-]*(?:\s+(?:of|de|van|von|the|and|&)\s+(?=[A-ZÀ-Ý]))?\s*){1,5}"
_SMALL = r"(?:(?:the|an?|its|their|his|her|one) )?(?:[a-zà-ý-]+ ){0,3}?"
_WHEN = r"(?: (?:in|on|at|around|entirely|originally|\w+ly)(?: [\w. ]{1,24}?)?)?"
_IS = r"(?:is|was|are|were|has been|had been|remains|became)"


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


_OTHER_CUES = {
    "winner": "went goes awarded",
    "head": "leads heads runs chairs manages",
    "maker": "makes produces manufactures",
    "owner": "owns",
    "holder": "holds",
}


def _named(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("NAME", f"(?P<name>{_N})"))


def _either(listed: str) -> str:
    return "|".join(re.escape(word) for word in listed.split())


def _role(name: str, done: str, agents: str, works: str) -> _Kind:
    patterns = []
    if done:
        patterns += [
            rf"\b(?:{_either(done)}){_WHEN} by {_SMALL}NAME",
            rf"NAME(?:has |had |have )?(?:\w+ly )?\b(?:{_either(done)}) (?!(?:of|by|in|from|with|at|on|to|for|as) )"
            r"(?:(?:the|an?|its)\b ?)?"
            r"(?:[a-z]+ ){0,3}?(?=[\"“\dA-Z])",
            rf"\b(?:{_either(_gerunds(done))}) .{{2,60}}? (?:belongs|goes|is due) to {_SMALL}NAME",
        ]
    if agents:
        who = rf"(?i:{_either(agents)})(?: executive)?(?: officer)?"
        patterns += [
            rf"\b{who}(?: of [^,.;]+?)? {_IS} {_SMALL}NAME",
            rf"NAME,? {_IS} (?:[Aa]lso )?{_SMALL}{who}\b",
            rf"NAME,? (?:who )?(?:serves as|acts as|served as|took over as) {_SMALL}{who}\b",
            rf"(?:['’]s|\b[Ii]ts|\b[Tt]heir|\b[Tt]he) {_SMALL}{who},? (?:[Dd]r\.? )?NAME",
            rf"\b{who}(?: of [^,.;]+?)?, (?:[Dd]r\.? )?NAME",
        ]
    if works:
        patterns.append(rf"\b(?:{_either(works)}) by {_SMALL}NAME")
    if name == "winner":
        patterns.append(rf"\b(?:went|awarded|goes) to {_SMALL}NAME")
    if name == "head":
        patterns.append(r"NAME(?:leads|heads|runs|chairs|manages) (?:the )?(?=[A-Z])")
    if name == "maker":
        patterns.append(r"NAME(?:makes|manufactures|produces) (?:the|its)? ?(?=[A-Z])")
    if name == "holder":
        patterns.append(r"NAME(?:holds) (?:the )?(?:[a-z]+ )?(?=record|title|patent|trophy)")
    if name == "owner":
        patterns.append(r"NAME(?:owns) (?:the )?(?=[A-Z])")
    cues = f"{done} {_gerunds(done)} {agents} {works} {_OTHER_CUES.get(name, '')}"
    return _Kind(name, frozenset(words(cues)), tuple(map(_named, patterns)))


def _gerunds(done: str) -> str:
    return " ".join(f"{word.removesuffix('ed')}ing" for word in done.split() if word.endswith("ed"))


_KINDS = tuple(_role(name, *rows) for name, rows in table_of("roles").items()) + tuple(
    _Kind(name, frozenset(re.findall(r"[a-z]{3,}", " ".join(patterns).lower())), tuple(map(_named, patterns)))
    for name, patterns in table_of("places").items()
)
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
