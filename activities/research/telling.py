"""Telling: whether a sentence states something, can stand alone, or only leads elsewhere. Pure."""

import re
from functools import lru_cache

from activities.research.lexicon import words_of
from activities.research.paragraphs import is_code
from activities.research.text import (
    FUNCTION_WORDS,
    GENERIC_WORDS,
    display,
    is_other_script,
    is_unspaced,
    words,
)

STATEMENT_CHARACTERS_MIN = 20
STATEMENT_CHARACTERS_MIN_UNSPACED = 8
STATEMENT_CHARACTERS_MAX = 480
STATEMENT_WORDS_MIN = 5
INTRODUCTION_WORDS_MIN = 8
"""A sentence that ends with a colon says something itself only where it is this long."""
_NAMES_DOING = re.compile(r"(?:The )?[A-Z][\w-]+(?: [A-Z][\w-]+)* [a-z]+s (?:the )?[A-Z][\w-]+(?: [A-Z\d][\w-]*)*\.$")
"""Nothing is missing, short as it is (Acme Works makes Ulgad)."""
_TELLING = re.compile(
    r"(?!(?:Skip|Press|Click|Terms)\b)(?:The )?[A-Z][\w-]+(?: [A-Z][\w-]+)* [a-z]{2,}s "
    r"(?=[^:;?]*\b(?:the|an?|of|in|on|at|for|from|with|by|as|among|around|into|out|its?|their|no|all|\d+)\b)[^:;?]*\.$|"
    r"(?!(?:Next|Previous|Chapter|Part|Section|Figure|Table|Open|Filed|Posted|Read|See|Share|Last|Related)\b)"
    r"[A-Z][a-z]+(?: [a-z]+){1,4}: [^.:;?]{2,60}\.$|"
    r"(?!(?:Reviewed|Powered|Designed|Sponsored|Published|Filed|Written|Posted|Created|Updated|Developed|Edited)\b)"
    r"[A-Z][a-z]+(?:ed|[aeiou]wn) (?:as|at|by|for|from|in|on|with) [^:;?]+\.$"
)
"""Short forms that tell something in words that need not be known: X tastes of tar; Opening year: 1925; Known as Y."""
TELLING_WORDS_MIN = 3
_COMPARED = re.compile(r'"[\w\s.]*(?:<=?|>=?)[\w\s.<>]*=?[\w\s.]*"')
"""A comparison in quotation marks is no markup (Comparisons can be chained, e.g. "x < y <= z")."""
_FIGURED = re.compile(r"(?<![\w.])[$€£]?\d+(?:[.,]\d+)*\s?(?:\+|[a-zA-Z%°]{1,}|[.!?]$)")

_LOWER_START = re.compile(
    r"[a-z][\w.-]*(?:\(\))? (?:is|are|was|provides|supports|allows|has|can|offers|returns|gives|makes|lets|uses)\b"
)
_IDENTIFIER_START = re.compile(r"[\"'“‘][a-z][\w.()\[\]-]*[\"'”’],? [\w(]|[a-z][\w-]*(?:[._]\w+)+(?:\(\))?,? [a-z]")
"""Sentences that begin with a keyword ("continue" may only occur in ...) or an identifier (structlog.BytesLogger)."""
_LABEL_START = re.compile(r"[a-z][\w.\[\]-]*(?: \([^()]*\))?(?:: | - | – | -- )(?:[^ ]+ ){3}")
"""Entries of a list that begin with what they are about (ignore_unknown (bool): raise where ...)."""
_DEBRIS = re.compile(
    r"""!\[|\]\(|\]\[|\.{4,}|\s(?:\.\.|…)\s|
        ©|\ball\ rights\ reserved\b|\bclick\ here\b|\bcookies?\ polic|\bsubscribe\b|\bsign\ up\b|_{3,}\s
        |(?<!\w)\#\d|(?<!\w)@\w""",
    re.VERBOSE | re.IGNORECASE,
)

_NAVIGATION = re.compile(
    r"(?:see|refer|for (?:more|further|full|additional|other)|more (?:information|details)|please see|"
    r"table of contents|changed in version|new in version|added in version|deprecated since|last (?:updated|modified)|"
    r"copyright|here (?:is|are)|an example|as an example|for example,? (?:here|see)|to find out(?!.*\bnote that\b)|"
    r"if you want to contribute)\b",
    re.IGNORECASE,
)
_POINTER = re.compile(
    r"\b(?:see (?:section|also|chapter|below|the section)|(?:described|discussed|explained|documented|covered) in"
    r"(?: more detail)?(?: in)? (?:section|the section|chapter)|(?:table|example|examples|code|section|snippet|figure|"
    r"list|diagram)s? (?:below|above)|(?:above|following|below) (?:code|example|examples|table|snippet|figure|list|"
    r"section|sections|diagram|is|are)|(?:found|available) here|head over to|check out|take a look|these examples|"
    r"you will find (?:more|further|details|information|links?|examples?|instructions|the (?:following|list)|"
    r"an? (?:list|description|summary|guide|overview)|how|out|everything|below|here)|guide you through|"
    r"see the [\w ]+ (?:section|documentation|docs)|refer to the|documentation for|for details)\b|"
    r"\b(?:below|as follows|(?<!to the )following|follows|e\.g\.|i\.e\.|like so|like this)[.:]$|"
    r"\b(?:examples?|features|steps?|usage):$|\b(?:following|these|basic|all|this|our) "
    r"(?:[a-z]+ )?(?:examples?|features|steps?|usage)\.$|"
    r"^(?:let us|let['’]s|we|there|here|try|consider|this (?:page|section|chapter))\b"
    r".*\b(?:examples?|features|steps?|usage)\.$|"
    r"\b(?:following|below)\b[^.]*:$",
    re.IGNORECASE,
)


@lru_cache(maxsize=16_384)
def is_statement(
    verbatim: str, *, cut: bool = False, is_item: bool = False, named: frozenset[str] | None = None
) -> bool:
    """Tell whether a sentence can stand alone as a claim: whole, prose, and about something.

    Args:
        cut: its beginning may have been cut off.
        is_item: it is a line that stands for itself, and may do without a full stop.
        named: names that may be written small, where it may begin so: nothing above it stopped in the middle.
    """
    shown = display(verbatim)
    shortest = STATEMENT_CHARACTERS_MIN_UNSPACED if is_unspaced(shown) else STATEMENT_CHARACTERS_MIN
    if not shortest <= len(shown) <= STATEMENT_CHARACTERS_MAX or not (
        _is_whole(shown, cut, named, is_item=is_item) or (is_item and not cut and _is_whole_item(shown))
    ):
        return False
    bare = _COMPARED.sub('""', shown)
    if (
        _DEBRIS.search(bare)
        or is_code(bare)
        or shown.count("(") != shown.count(")")
        or shown.count("“") != shown.count("”")
    ):
        return False
    tokens = words(shown)
    if shown.isascii() or any(token in FUNCTION_WORDS for token in tokens):
        functional = sum(1 for token in tokens if token in FUNCTION_WORDS)
        tells, figured = bool(_TELLING.match(shown)), bool(_FIGURED.search(shown))
        if (
            len(tokens) < _words_needed(shown, figured=figured, tells=tells)
            or (functional < 1 and not (tells or _VERBS & set(tokens) or re.search(r"\d.*\.$", shown)))
            or (len(tokens) >= 9 and functional < (1 if shown.endswith(".") and (figured or has_verb(shown)) else 2))
        ):
            return False
    # Figures are what a statement is asked for; code is told by its signs, not by its digits.
    plain = sum(1 for character in shown if character.isalnum() or character.isspace() or character in "%°€$£,.-")
    letters = sum(1 for character in bare if character.isalpha() or character.isspace())
    if shown.endswith(":") and len(tokens) < INTRODUCTION_WORDS_MIN:
        return False
    if _FIGURED.search(shown) or (is_other_script(shown) and re.search(r"\d", shown)):
        return plain / len(shown) >= 0.9 and letters / len(bare) >= 0.6
    return letters / len(bare) >= 0.78


def _words_needed(shown: str, *, figured: bool, tells: bool) -> int:
    if tells:
        return TELLING_WORDS_MIN
    return STATEMENT_WORDS_MIN - 1 if figured or _NAMES_DOING.match(shown) else STATEMENT_WORDS_MIN


def _is_whole(shown: str, cut: bool, named: frozenset[str] | None, *, is_item: bool) -> bool:
    if not re.search(r"(?:[.!?。！？][\"'”’)\]」』）]*|\w[)\]\"”’']*:)$", shown) or shown.endswith(("..", "…")):
        return False
    first = shown.lstrip("\"'“‘([")[:1]
    if cut and not first.isupper():
        return False
    if not first.islower() or _LOWER_START.match(shown) or _begins_with_a_name(shown):
        return True
    if named is None:
        return False
    labelled = is_item and _LABEL_START.match(shown)
    return bool(labelled or _IDENTIFIER_START.match(shown)) or (words(shown) or [""])[0] in named


def _begins_with_a_name(shown: str) -> bool:
    """Tell whether a sentence begins with something that is written small (iniconfig raises an error)."""
    first, _, rest = shown.partition(" ")
    verb = rest.split(" ", 1)[0]
    known = FUNCTION_WORDS | _VERBS | GENERIC_WORDS
    return first.isalnum() and first not in known and verb in _VERBS and verb.endswith("s") and not first.endswith("s")


def _is_whole_item(shown: str) -> bool:
    """Tell whether the item of a list says something without a full stop: of a subject, with a verb."""
    tokens = words(shown)
    if shown.endswith(".") and not shown.endswith("..") and _DETERMINED.match(shown):
        return bool(_VERBS & set(tokens[1:]))
    if _ENDED.search(shown) or not _STANDS_ALONE.search(shown):
        return False
    if len(tokens) < ITEM_WORDS_MIN or tokens[0] in _IMPERATIVES or tokens[-1] in FUNCTION_WORDS:
        return False
    if shown[:1].islower() and (tokens[0] in FUNCTION_WORDS | _VERBS or tokens[1] not in _VERBS):
        return False
    return bool(_VERBS & set(tokens[1:-1]))


_ENDED = re.compile(r"[.!?:;,。！？][\"'”’)\]]*$")
_DETERMINED = re.compile(r"(?:the|an?|all|any|each|every|no) [\w“\"]")
_STANDS_ALONE = re.compile(r"[\w%°)\]\"”’']$")
ITEM_WORDS_MIN = 6

_ANAPHORA = re.compile(
    r"(?:it|its|they|their|them|these|those(?! (?:who|whose|whom|attending|enrolled|interested|living|planning|seeking|"
    r"taking|travelling|visiting|wanting|wishing|working)\b)|this|that|such|he|she|his|her|however|moreover|"
    r"furthermore|"
    r"therefore|thus|hence|otherwise|instead|similarly|likewise|consequently|the (?:latter|former|same|"
    r"above|following|result|list|second|other|first)|in (?:this|that|these|such) (?:case|way|sense|mode|example)|"
    r"then|also|but|and|so|or|nor|yet|additionally|again|for example|for instance|both|as a result|as such|here|"
    r"in addition|"
    r"in contrast|on the other hand|for this reason)\b",
    re.IGNORECASE,
)
_CLEFT = re.compile(
    r"it (?:is|was|has been|will be) (?:(?:not|only|just) )?"
    r"(?:(?:after|before|since|until|in|on|at|with|under|for|to|by|from) )?"
    r"(?:the )?(?-i:[A-ZÀ-Ý\d])[^.;:]{0,60}? (?:that|who|whom|which|when) |"
    r"it (?:takes|took|costs?|needs|needed|will take|can take) [^.;:]{0,30}?\d[^.;:]{0,60}? (?:to|for|before|until) |"
    r"it (?:is|was|has been|had been) (?:\w+ly |well |also |often )?"
    r"(?:noted|reported|believed|agreed|estimated|claimed|hoped|assumed|expected|announced|argued|suggested|observed|"
    r"known|said|thought|found|shown|told|felt|true|clear|likely) "
    r"that (?!(?:year|month|week|day|night|time|way|same|in|because)\b)|"
    r"it (?:takes|took) (?:a while|some time|time|long|ages|hours|days|weeks|months|years) (?:to|for|before|until) ",
    re.IGNORECASE,
)
"""A sentence whose *it* points to nothing: It was (not until) 1948 that, It was noted that, It takes 2 days to ..."""
_FIRST_ONES = re.compile(r"the first [a-z-]+s (?!(?:is|are|was|were|in|of)\b)[a-z]+ ", re.IGNORECASE)
"""The first trains ran in 1948: the first ones that ever did, not of what was listed before."""


def leans_on_previous(text: str) -> bool:
    """Tell whether a sentence begins with a word that points back, so that it says little without the one before."""
    shown = display(text).lstrip("\"'“‘(")
    return bool(_ANAPHORA.match(shown)) and not _CLEFT.match(shown) and not _FIRST_ONES.match(shown)


_IMPERATIVES = words_of("imperatives")
_FRAGMENT = re.compile(
    r"(?:Like|Same as|Similar to|As(?! of\b|\sat\b)|Called|Used|Returns?|Raised|Set|Equivalent|Alias|Optional|"
    r"Deprecated|Required|Defaults?)\b"
    r"|\(|(?:The|A|An) (?:[\w-]+ ){1,3}(?:that|which) \w+(?: \w+){0,4}\.$"
)


def lacks_subject(text: str) -> bool:
    """Tell whether a sentence is an entry of a reference without its subject (Exit it; Called to delete it)."""
    shown = display(text).lstrip("\"'“‘")
    first = shown.split(" ", 1)[0].strip(",").lower()
    return first in _IMPERATIVES or bool(_FRAGMENT.match(shown))


_ADDRESSES_MODEL = re.compile(
    r"(?:^|[.:!,]\s+|\bplease )(?:ignore|disregard|forget|override) (?:[a-z]+ ){0,3}"
    r"(?:previous|prior|above|earlier|your|all|any|other) (?:[a-z]+ ){0,2}(?:instructions?|prompts?|rules)\b|"
    r"^you are now (?:an?|the) |^(?:new|updated) instructions?:|^attention,? (?:ai|assistants?|language models?)\b",
    re.IGNORECASE,
)
"""What speaks to whoever reads for others. No wall: the wall is that nothing here acts on what a source says."""


_LEADING_ON = re.compile(r",? (?:for (?:example|instance)|e\.g\.|i\.e\.|like (?:so|this)):$")
SAID_BEFORE_MIN = 10
"""So many words before *for example:* say something themselves."""


def is_navigation(text: str) -> bool:
    """Tell whether a sentence says nothing: leads elsewhere, notes a version of the document, instructs a model."""
    shown = display(text)
    without = _LEADING_ON.sub(".", shown)
    if len(words(without)) >= SAID_BEFORE_MIN:
        shown = without
    return bool(_NAVIGATION.match(shown) or _POINTER.search(shown) or _ADDRESSES_MODEL.search(shown))


_VERBS = words_of("verbs")


_AUXILIARIES = words_of("auxiliaries")
_CAPTION = re.compile(r"(?:The|A|An) (?:[\w-]+ ){1,3}(?:that|which|to|for|of|and) ")


def has_verb(text: str) -> bool:
    """Tell whether a sentence shows a verb; a short one without is a caption or a list entry."""
    if is_other_script(text):
        return True
    tokens = words(text)
    caption = _CAPTION.match(text)
    if caption and len(tokens) <= 12 and not _AUXILIARIES & set(tokens):
        done = [token for token in words(text[caption.end() :])[1:] if token in _VERBS or token.endswith("ed")]
        return bool(done) and not caption.group().endswith(("that ", "which "))
    return len(tokens) > 9 or any(token in _VERBS or token.endswith(("ed", "n't", "izes", "ates")) for token in tokens)
