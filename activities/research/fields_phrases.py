"""Phrases: what a sentence names as a property, where the value is words and not a figure. Pure.

Works on form alone: where the column's word stands, and how the value hangs on it (the CEO is X; X, the CEO; founded by
X; headquartered in X). What hangs on it in no such way is not taken.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from activities.research.fields_columns import PHRASES, Asked, meanings, meanings_of, word_list
from activities.research.fields_reading import Item
from activities.research.lexicon import words_of
from activities.research.text import STOP_WORDS, WORD, stem, words
from activities.research.values import clauses, part_of

PHRASE_WORDS_MAX = 7
_NAMED = frozenset(
    meaning
    for word in [
        "headquarters",
        "located",
        "ceo",
        "chair",
        "mayor",
        "founder",
        "owner",
        "maker",
        "author",
        "architect",
        "operator",
        "supplier",
        "country",
        "director",
    ]
    for meaning in meanings_of(stem(word))
    if meaning[:1] == "~"
)
"""Properties whose value is a name."""
_W = r"[^\W\d_][\w&’'.-]*"
_NAME_WORD = r"[A-ZÀ-ÖØ-Þ](?:[\w&’'-]|\.(?=\w)|(?<=\b[A-Z])\.)*"
_NAME = (
    rf"{_NAME_WORD}(?:[ -](?:(?:of|de|da|di|del|della|van|von|der|den|the|le|la|du|and|&|y|upon|am|im|an der)\s)?"
    rf"(?:{_NAME_WORD}|\d[\w.]*))*"
)
_PLAIN = r"(?:[^\W_](?:[\w'’/-]|\.(?=\w))*)(?: (?:and |of |& )?[^\W_](?:[\w'’/%-]|\.(?=\w))*){0,5}?"
_END = (
    r"(?=\s*(?:[,;:()\[\]“”\"]|[.!?](?:\s|$)|$)"
    r"|\s+(?:and (?:it|its|has|have|is|was|employs|the|they|their|operates|runs|sells|makes)"
    r"|which|that|who|whose|where|while|but|since|because|with|for|after|before|as|at|on|by|in|from|under|to|when|until"
    r"|although|though|whereas|during|is|are|was|were|has|have|had|said|says|joined|took)\b)"
)
_DET = r"(?:(?:the|an?|its|their|his|her|city of|town of|the city of|the town of)\s+)*"
_COPULA = (
    r"(?:\s*,)?\s+(?:is|are|was|remains|has been|being)\s+(?:currently |now |today |still )?"
    r"(?:called |named |known as |given as |listed as |stated as |located in |in |at |by |on |from |that of |made of )?"
)
_ADVERB = (
    r"\s+(?:(?:it|them) )?"
    r"(?:mainly |primarily |chiefly |entirely |exclusively |solely |today |now |currently |jointly )?"
)
_LINKS = {
    "~ceo": "by",
    "~chair": "by",
    "~mayor": "by",
    "~founder": "by",
    "~author": "by",
    "~architect": "by",
    "~director": "by",
    "~owner": "by",
    "~maker": "by",
    "~operator": "by",
    "~supplier": "by",
    "~language": "in|using",
    "~headquarters": "in|at|near|out of",
    "~birthplace": "in|at|near",
    "~located": "in|at|near|on",
    "~licence": "under",
    "~material": "of|from|in|out of",
}
"""Which preposition leads from a word of a family to its value: written by X is of the author, in X of the language."""
_ANY_LINK = "in|at|by|from|under|with|on|as|to|out of|near"


@lru_cache(maxsize=4_096)
def _spans(text: str) -> tuple[tuple[int, int, frozenset[str]], ...]:
    """Return the words and known phrases of a text with what they may stand for."""
    found = [(*match.span(), meanings_of(stem(match.group().lower()))) for match in WORD.finditer(text)]
    for pattern, replacement in PHRASES:
        found += [(*match.span(), meanings(replacement)) for match in pattern.finditer(text)]
    return tuple(sorted(found, key=lambda each: each[:2]))


def attribute_spans(asked: Asked, text: str) -> list[tuple[int, int]]:
    """Return where a text uses the column's words; of a name of several words, the last one."""
    for stems in (asked.core[-1:], asked.described[-1:], asked.core[:1]):
        ours = frozenset(meaning for each in stems for meaning in meanings_of(each))
        found = [(start, end) for start, end, meant in _spans(text) if meant & ours]
        if found:
            return found
    return []


def phrases(asked: Asked, text: str, item: Item) -> Iterator[tuple[str, tuple[int, int], float]]:
    """Yield (value, its span, score) of what a sentence gives for a column of words; the best way to say it first."""
    meant = frozenset(meaning for each in asked.core for meaning in meanings_of(each))
    named = bool(meant & _NAMED)
    for start, end, score in _placed(text, meant):
        if _is_value(text[start:end], item, named=True):
            yield text[start:end], (start, end), score
    for start, end in attribute_spans(asked, text):
        if not asked.spoken_of(meanings(_clause_of(text, start))):
            continue
        if (
            (part := part_of(_clause_of(text, start)))
            and not any(meanings_of(each) & meant for each in part)
            and not item.mentions(text)
        ):
            continue
        for value_start, value_end, score in _hanging(text, start, end, item, named, meant):
            value_end = value_start + len(_trimmed(text[value_start:value_end], meant))
            raw = text[value_start:value_end]
            if _is_value(raw, item, named):
                yield raw, (value_start, value_end), score
                break


_KIND_IN = re.compile(
    rf"\b(?:is|was) (?:an?|the|one of the) [^,.;]{{0,60}}?\bin (?:the )?"
    rf"(?P<value>{_NAME})(?:, (?P<wider>{_NAME}))?(?=[\s.,;)]|$)"
)
_BASED = re.compile(rf"\b(?P<value>{_NAME_WORD}?)-(?:based|headquartered)\b")


def _placed(text: str, meant: frozenset[str]) -> Iterator[tuple[int, int, float]]:
    """Yield where something is, as it is told without a word for it: a town in Norway, a Zurich-based maker."""
    if "~headquarters" in meant and (match := _BASED.search(text)):
        yield *match.span("value"), 0.85
    if meant & {"~country", "~located"} and (match := _KIND_IN.search(text)):
        group = "wider" if "~country" in meant and match["wider"] else "value"
        yield *match.span(group), 0.7


def _trimmed(raw: str, meant: frozenset[str]) -> str:
    """Cut the column's own word off the end of a value (the MIT licence)."""
    while " " in raw and meanings_of(stem(raw.rsplit(" ", 1)[1].lower())) & meant:
        raw = raw.rsplit(" ", 1)[0]
    return raw


def _clause_of(text: str, at: int) -> str:
    start, end = next(
        ((start, end) for start, end in clauses(text) if start <= at < max(end, start + 1)), (0, len(text))
    )
    # An apposition (its CEO, Maria Olsen, ...) is cut off by its comma, but belongs to the clause.
    return text[start:end]


def _hanging(
    text: str, start: int, end: int, item: Item, named: bool, families: frozenset[str]
) -> Iterator[tuple[int, int, float]]:
    """Yield the spans that hang on a word of the column, by how sure the form is."""
    value = _NAME if named else rf"(?:{_NAME}|{_PLAIN})"
    after, before = text[end:], text[:start]
    own = _item_pattern(item)
    links = "|".join(dict.fromkeys(_LINKS[family] for family in sorted(families) if family in _LINKS)) or _ANY_LINK
    link = rf"{_ADVERB}(?:{links})\s+"
    forms: list[tuple[str, float]] = [
        (rf"(?:\s+(?:of|for|at|behind)\s+(?:the\s+)?{own})?{_COPULA}{_DET}(?P<value>{value}){_END}", 0.95),
        (rf"{link}{_DET}(?P<value>{value}){_END}", 0.9),
        (rf"\s*(?:[:–—]|\s-)\s+{_DET}(?P<value>{value}){_END}", 0.9),
        (rf"\s+(?:of|at|for)\s+(?:the\s+)?{own}\s*,\s+(?P<value>{_NAME}){_END}", 0.9),
    ]
    word = text[start:end].lower()
    if named:
        forms.append((rf",?\s+(?P<value>{_NAME})(?:{_END}|\s)", 0.8))
    if word.endswith(("under", "in", "at", "by")) or " " in word:
        forms.append((rf"\s+{_DET}(?P<value>{value}){_END}", 0.9))
    if families & {"~headquarters", "~located"}:
        forms.insert(0, (rf"\s+(?:from\s+{_NAME}\s+)?to\s+{_DET}(?P<value>{value}){_END}", 0.92))
    for pattern, score in forms:
        if (match := re.match(pattern, after)) and _is_link(word, pattern):
            yield end + match.start("value"), end + match.end("value"), score
    backward: list[tuple[str, float]] = [
        (
            rf"(?P<value>{value})\s+(?:is|was|serves as|acts as|has been|became|works as|remains)\s+"
            rf"(?:currently |now )?(?:the|its|their|an?)?\s*(?:{_W}\s+)?$",
            0.9,
        ),
        (rf"(?:has|have|with|had)\s+{_DET}(?P<value>{value})\s+as\s+(?:its|the|their)\s+$", 0.9),
        (rf"(?P<value>{_NAME}),\s+(?:(?:the|its|their)\s+)?(?:{_W}\s+)?$", 0.85),
        (
            rf"(?:appointed|named|hired|elected|promoted)\s+(?P<value>{_NAME})\s+(?:as\s+|to\s+)?(?:(?:its|the|new)\s+)*$",
            0.85,
        ),
        (rf"(?:under|by)\s+(?P<value>{_NAME})\s+(?:as|,)\s+$", 0.7),
    ]
    for pattern, score in backward:
        matches = list(re.finditer(pattern, before))
        if matches:
            yield matches[-1].start("value"), matches[-1].end("value"), score
    if families & {"~industry", "~market"} and (match := re.search(rf"\bin the (?P<value>{_PLAIN})\s+$", before)):
        yield match.start("value"), match.end("value"), 0.85
    if re.match(rf"\s+(?:the\s+)?{own}", after) and (match := re.search(rf"(?P<value>{_NAME})\s+$", before)):
        yield match.start("value"), match.end("value"), 0.85  # Ana Petrov wrote ITEM.


_PREPOSED = re.compile(
    r"(?:ed|based|built|made|written|run|led|set|held|known|hq|under|in|at|by|wrote|drawn|sold|spun|seat|office|headquarters|quartered|situated|lies|city|located)$"
)


def _is_link(word: str, pattern: str) -> bool:
    """Tell whether a preposition behind a word leads to its value: founded by X does, the CEO in X does not."""
    return not pattern.startswith(_ADVERB) or bool(_PREPOSED.search(word))


def _item_pattern(item: Item) -> str:
    if not item.tokens:
        return r"(?!x)x"
    name = r"[\s\-–_.,&’']{0,3}".join(re.escape(token) for token in item.tokens)
    suffixes = "|".join(sorted(word_list("name_suffixes"), key=len, reverse=True))
    return rf"(?i:{name}(?:,?\s(?:{suffixes})\b\.?)?)(?:['’]s)?"


_BAD_START = STOP_WORDS | frozenset(
    [
        "also",
        "now",
        "currently",
        "still",
        "today",
        "well",
        "best",
        "largest",
        "first",
        "one",
        "two",
        "more",
        "less",
        "not",
        "only",
        "both",
        "part",
    ]
)
_VERBS = words_of("auxiliaries")
_COMMON = words_of("common_capitals")


def _is_value(raw: str, item: Item, named: bool) -> bool:
    tokens = words(raw)
    if not tokens or len(tokens) > PHRASE_WORDS_MAX or item.is_named_by(raw) or (item.tokens and item.mentions(raw)):
        return False
    if raw.islower() and tokens[-1].endswith(("ed", "ing")):
        return False  # A verb: the code *is published* under X.
    if tokens[0] in _BAD_START or any(token in _VERBS for token in tokens) or raw[-1:] in ".,":
        return False
    if named and (not raw[:1].isupper() or tokens[0] in _COMMON):
        return False
    return not re.fullmatch(r"[\d.,\s%]+", raw)
