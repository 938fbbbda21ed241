"""Questions: what a question asks for: its words and their weight, its subject, and the kind of its answer. Pure."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from activities.research.lexicon import words_of
from activities.research.phrased import as_question, asks_for_property, asks_for_the_one
from activities.research.quantities import designations, names
from activities.research.text import GENERIC_WORDS, STOP_WORDS, singular, stem, words

GENERIC_WEIGHT = 0.25
CONTEXT_WEIGHT = 0.6
AUXILIARY = r"(?:do|does|did|has|have|had|is|are|was|were|can|could|should|will|would|must|may)"
_CONTEXT = re.compile(r"\s\([^()]*\)(?=[?.]?$)")


_FILLER_PHRASE = re.compile(
    r"\b(?:(?:kinds?|sorts?|types?|numbers?|lists?|parts?)(?= of\b)|key(?= (?:findings|points|facts|features|aspects|"
    r"differences|questions|figures|takeaways|trends|issues|players)\b))|^\s*(?:please )?list\b",
    re.IGNORECASE,
)
"""Words that say little in these phrases only: a *kind of* pump, *key* findings; but the keys of a list."""


@lru_cache(maxsize=4_096)
def _key_terms(question: str) -> tuple[tuple[str, float], ...]:
    weights: dict[str, float] = {}
    context = _CONTEXT.search(question)
    fillers = {word for phrase in _FILLER_PHRASE.findall(question) for word in words(phrase)}
    for part, weight in ((_CONTEXT.sub("", question), 1.0), (context.group() if context else "", CONTEXT_WEIGHT)):
        for word in words(part):
            if word in STOP_WORDS or len(word) == 1:
                continue
            generic = word in fillers or word in GENERIC_WORDS or stem(word) in GENERIC_STEMS
            weights.setdefault(stem(word), GENERIC_WEIGHT if generic else weight)
    return tuple(weights.items())


def without_context(question: str) -> str:
    """Return a question without the topic that was added to it in brackets."""
    return _CONTEXT.sub("", question)


def single_questions(question: str) -> list[str]:
    """Return the questions that were put together into one subtask."""
    return [part.strip() for part in re.split(r"(?<=[?])\s+(?=\w)", question) if part.strip()] or [question]


def key_terms(question: str) -> dict[str, float]:
    """Return the stems of a question's content words with their weight.

    1, or less for words that say little and for the words in a bracket at its end (the topic that was added to it).
    """
    return dict(_key_terms(question))


GENERIC_STEMS = frozenset(stem(word) for word in GENERIC_WORDS) - {stem("import")}
"""Without what has a meaning of its own and only shares its stem with such a word (import, important)."""


def specific_terms(question: str) -> list[str]:
    """Return the words of a question that say what it is about, as written there, in order, once per stem."""
    found: dict[str, str] = {}
    for word in words(question):
        if key_terms(word).get(stem(word)) == 1.0:
            found.setdefault(stem(word), word)
    return list(found.values())


@dataclass(frozen=True)
class QueryTerm:
    """One content word of a question."""

    word: str
    weight: float
    is_name: bool
    places: bool
    """It says of what or where, not what is asked: Python in *Python decorators* and in *decorators in Python*."""

    @property
    def singular(self) -> str:
        return singular(self.word)

    @property
    def stem(self) -> str:
        return stem(self.word)

    @property
    def is_core(self) -> bool:
        """Tell whether the question is about this word."""
        return self.weight == 1.0 and not self.places


def _is_done(word: str) -> bool:
    """Tell whether a word says what is done, so that a name before it is a subject (is Gridlet published)."""
    return word in _VERBS or word.endswith(("ed", "tten", "wn"))


def _ends_phrase(sequence: list[str], at: int) -> bool:
    """Tell whether a phrase ends before a place: the word before it is a verb then, no noun (listen on, listen)."""
    return at >= len(sequence) or sequence[at] in STOP_WORDS


_VERBS = words_of("verbs")
PLACING_WEIGHT = 0.4
PLACING = words_of("placing")


_IDENTIFIER = re.compile(r"\b\w+(?:[._]\w+)+\b(?:\(\))?|\b\w+\(\)|__\w+__|\b[a-z\d]+(?:-[a-z\d]+)*\d[a-z\d-]*\b")
"""Names of code (lru_cache, os.path, __hash__, h11): names, whatever their capitals."""


@lru_cache(maxsize=4_096)
def query_terms(question: str) -> tuple[QueryTerm, ...]:
    """Return the content words of a question, once per stem, in order."""
    weights = key_terms(question)
    named = {word for name in (*names(question), *_IDENTIFIER.findall(question)) for word in words(name)}
    coded = {word for name in designations(question) for word in words(name)}
    sequence = words(question)
    found: dict[str, QueryTerm] = {}
    for at, word in enumerate(sequence):
        if stem(word) not in weights or word in STOP_WORDS:
            continue
        before, after = (sequence[at - 1] if at else ""), (sequence[at + 1] if at + 1 < len(sequence) else "")
        modifies = (
            weights.get(stem(after)) == 1.0
            and after not in named
            and after not in STOP_WORDS
            and before not in ("the", "a", "an")
            and not (re.fullmatch(AUXILIARY, before) and _ends_phrase(sequence, at + 2))  # Does Corvid listen on ...
            and not _is_done(after)
        )
        compared = sequence[max(0, at - 2) : at] in (["compared", "with"], ["compared", "to"])
        goes_on = before in named and stem(before) in found and found[stem(before)].places  # At Jones Optics.
        places = compared or (word in named - coded and (before in PLACING or modifies or goes_on))
        found.setdefault(stem(word), QueryTerm(word, weights[stem(word)], word in named, places))
    if not any(term.is_core for term in found.values()):
        return tuple(replace(term, places=False) for term in found.values())
    return tuple(found.values())


_DONE_BY = re.compile(rf"\b{AUXILIARY}\s+(?P<subject>(?:the |an? )?.+)$", re.IGNORECASE)
_PROPERTY_OF = re.compile(
    r"\b(?:what|which|who|where|how)\b.*\b(?:of|for)\s+(?:the |an? )?(?P<subject>[^,?]+)$", re.IGNORECASE
)
_SUBJECT_WORDS_MAX = 4


@lru_cache(maxsize=4_096)
def subject_terms(question: str) -> frozenset[str]:
    """Return the stems of what a question is about: its names, else what its grammar makes the subject.

    *How long does the timeout of Corvid last* is about Corvid, *what does a deque do* about deques.
    """
    question = without_context(as_question(question)).strip(" ?.")
    asked = query_terms(question)
    named = frozenset(term.stem for term in asked if term.is_name and term.is_core)
    if named:
        return named
    known = {term.stem for term in asked if term.is_core}
    for pattern in (_PROPERTY_OF, _DONE_BY):
        if match := pattern.search(question):
            found = [stem(word) for word in _up_to_verb(words(match["subject"])) if stem(word) in known]
            if found:
                return frozenset(found)
    return frozenset()


_FOR_TIME = re.compile(
    r"(?:since )?when\b|(?:(?:in|since|on|with|from|by|until|to|during) )?(?:what|which) (?:year|month|day|date)\b|"
    r"(?:what|which) (?:is|was) the (?:[\w-]+ )?(?:year|date)\b",
    re.IGNORECASE,
)
_NAMED_KINDS = "|".join(words_of("named_kinds"))
_FOR_NAME = re.compile(
    rf"(?:for |to |by |from |in |at )?(?:who|whom|whose|where|(?:what|which) (?:{_NAMED_KINDS}))\b|"
    rf"(?:what|which) (?:is|was) the (?:[\w-]+ ){{0,3}}(?:{_NAMED_KINDS}) of\b|"
    r"(?:what|how) (?:is|are|was|were) .{2,80} (?:called|named)\W*$",
    re.IGNORECASE,
)
_THING = re.compile(
    r"(?:(?:on|at|to|in|under|from|by|with|through|for) )?(?:which|what) (?:(?:is|are|was|were) the )?"
    rf"(?:[a-z]+ )?(?P<thing>(?!(?:{AUXILIARY}|of|for)\b)[a-z]+)"
    r"(?= (?:of|for|does|do|did|is|are|was|were|can|could|may|must|should|will|has|have)\b)"
)
_THING_OF_NAME = re.compile(
    r"(?:on|at|to|in|under|from|by|with|through|for) (?:which|what) (?:[a-z]+ )?"
    rf"(?P<thing>(?!{AUXILIARY}\b)[a-z]+) [A-Z]"
)
"""On what port Ulgad listens."""


_SIZE = re.compile(r"\bsize of (?:the |its )?(?P<many>[a-z]+)\b|\b(?P<sized>(?!the\b)[a-z]+) size\b")
_COLLECTIVES = words_of("collectives")
_COLLECTIVE = re.compile(
    r"\bhow (?:large|big|strong|high|numerous|great) (?:is|are|was|were) (?:the |its |their )?"
    r"(?:[a-z-]+ )?(?P<many>[a-z-]+)(?= (?:of|at|in|on)\b)|"
    r"\b(?:which|what) (?:is|was) the (?:total )?(?:number|count) of (?:[a-z-]+ )?(?P<counted>[a-z-]+)",
)


def collective_asked(question: str) -> str | None:
    """Return the stem of what is asked to be counted without *how many*, or None.

    The crew in *how large is the crew of X* and *crew size of X*, the moons in *what is the number of moons of X*.
    """
    asked = as_question(question).strip().lower()
    if (sized := _SIZE.search(asked)) and (group := sized["many"] or sized["sized"]) in _COLLECTIVES:
        return stem(group)
    match = _COLLECTIVE.search(asked)
    found = (match["many"] or match["counted"]) if match else ""
    return stem(found) if found and found not in STOP_WORDS else None


def asks_for_time(question: str) -> bool:
    """Tell whether a date or a year would answer."""
    return bool(_FOR_TIME.match(as_question(question).strip()))


_THE_LAST = re.compile(
    r"\b(?:last|latest|lately|newest|recent|recently)\b(?! (?:year|month|week|day)\b)", re.IGNORECASE
)


def asks_for_the_last(question: str) -> bool:
    """Tell whether the latest of several is asked for, which another one follows (when did X last erupt)."""
    return bool(_THE_LAST.search(question))


def asks_for_name(question: str) -> bool:
    """Tell whether a name would answer."""
    return bool(_FOR_NAME.match(as_question(question).strip()))


_FOR_ONE_THING = re.compile(
    r"(?:^|[,;:] |\b(?:and|or|by|to|for|from|of|in|at|on|over|with|within|after|since|until|under|"
    r"ask|know|tell|me|us|remember|say) )"
    r"(?:who|whom|whose|where|when|which|"
    r"how (?!(?:do|does|did|is|are|was|were|can|could|should|to|has|have|will|would)\b)\w+|"
    r"what (?!(?:is|are|was|were|do|does|did|can|makes?|happens?|the)\b)\w+|"
    r"what(?: is|['’]s| was) the (?:[\w-]+ ){1,3}of|what does (?:[\w-]+ )+(?:cost|weigh))\b",
    re.IGNORECASE,
)


def asks_for_one_thing(question: str) -> bool:
    """Tell whether one value or name would answer (which operator ...), rather than an account (how does X work)."""
    asked = as_question(question)
    said = (question, asked[:1].lower() + asked[1:])
    return (
        asks_for_property(question)
        or bool(_STRANDED.search(question))
        or any(_FOR_ONE_THING.search(each) for each in said)
        or asks_for_the_one(question)
    )


_STRANDED = re.compile(r"^what\b(?!.*\b(?:there|known)\b).*\b(?:after|by|from|in|of|on|with)\s*\?$", re.IGNORECASE)
"""What is it made of, what was it named after: one thing is asked for, and no account (what is it good for)."""


def thing_asked(question: str) -> str | None:
    """Return the stem of the thing whose value is asked for (port, in *which port does X use*)."""
    asked = as_question(question).strip()
    asked = f"{asked[:1].lower()}{asked[1:]}"
    match = _THING.match(asked) or _THING_OF_NAME.match(asked)
    return stem(match["thing"]) if match and match["thing"] not in STOP_WORDS else None


def _up_to_verb(tokens: list[str]) -> list[str]:
    """Return the first words of a clause, up to its verb or to what places it (shelf, in *a shelf have in memory*)."""
    found: list[str] = []
    for token in tokens:
        if found and (token in _VERBS or token in PLACING or token in STOP_WORDS or token.endswith("ed")):
            break
        if token in ("i", "we", "you", "one", "they", "it"):
            return []
        if token not in STOP_WORDS:
            found.append(token)
    return found[:_SUBJECT_WORDS_MAX]
