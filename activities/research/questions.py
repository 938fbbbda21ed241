"""Questions: what a task asks for, cut into parts that can be searched for one by one.

The rule is caution: where the grammar is not plain, a question stays whole. Fewer parts rather than senseless ones.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from activities.research.lexicon import words_of
from activities.research.phrased import as_question, asks_for_property
from activities.research.quantities import designations, names
from activities.research.similarity import contained, overlap
from activities.research.text import GENERIC_WORDS, STOP_WORDS, normalise, singular, stem, terms, words
from schema.contracts.research import Brief, Subtask

TITLE_CHARACTERS_MAX = 80
QUESTION_CHARACTERS_MAX = 600
ITEM_WORDS_MAX = 7
GENERIC_WEIGHT = 0.25
CONTEXT_WEIGHT = 0.6

_URL = re.compile(r"https?://[^\s<>\"'()\[\]{}]+(?:\([^\s<>\"'()]*\)[^\s<>\"'()\[\]{}]*)?", re.IGNORECASE)
_LEAD = re.compile(
    r"""(?:please\s+|can\ you\s+|could\ you\s+|i\ (?:want|need|would\ like)(?:\ you)?\ to\s+|let's\s+)?
    (?:
      (?:how|why|when|where)\s+(?:do|does|did|is|are|was|were|can|could|should|would|will|has|have|had)\b|
      (?:what|which|who)\s+(?:is|are|was|were|do|does|did|can|could|should|would|will|has|have)\b|
      (?:how\s+(?:many|much|long|often|far|fast|well))\b|
      (?:(?:do\s+)?(?:some\s+)?(?:wide|deep|thorough)?\s*research(?:\s+(?:on|about|into))?|tell\ me\s+about|
         (?:compare|contrast|explain|describe|investigate|analy[sz]e|assess|evaluate|summari[sz]e|discuss|
            review|list|find(?:\s+out)?|outline|examine|explore|identify|study|survey|cover)
         (?:\s+and\s+(?:compare|contrast|explain|describe|analy[sz]e|evaluate|assess))?
         (?:\s+(?:how|what|why|the\ state\ of|me))?|
         (?:give|write|prepare|create|produce|draft)\s+(?:me\s+)?(?:an?\s+|the\s+)?(?:\w+\s+){0,2}?
         (?:overview|report|summary|comparison|introduction|brief|analysis|survey)\s+(?:of|on|about|to)|
         (?:an?\s+)?(?:overview|comparison|analysis|summary)\s+of)
    )\s*(?P<article>(?:the|a|an)\s+)?""",
    re.IGNORECASE | re.VERBOSE,
)
_AUXILIARY = r"(?:do|does|did|has|have|had|is|are|was|were|can|could|should|will|would|must|may)"
_ASKS = re.compile(r"(?:what|how|why|when|where|which|who|whose|whether|is|are|do|does|did|can|should|will)\b", re.I)
_NEW_CLAUSE = re.compile(
    r"(?:,?\s+and\s+(?:also\s+)?|,\s+|;\s+(?:and\s+)?)(?=(?:what|how|why|when|where|which|who|whether)\b)", re.I
)
_TAIL = re.compile(
    r"""\s+(?P<tail>(?:
        works?|differ|compare|behave|interact|function|relate|mean|look\ like|perform|evolve|affect|
        (?:in|of|for|with|on|under|during|to|from|by|against|across|within|at|regarding|concerning|based\ on|
           with\ respect\ to|in\ terms\ of|when|if|while|between|among|since|as)\b|
        (?:are|is|was|were|be|been|have|has|can|should|will)\b
    ).*)$""",
    re.IGNORECASE | re.VERBOSE,
)
_CONTEXT = re.compile(r"\s\([^()]*\)(?=[?.]?$)")
_POINTING = re.compile(r"\b(?:they|them|their|it|its|these|those|this)\b", re.IGNORECASE)
_VERB_TAIL = re.compile(
    r"(?:works?|differ|compare|behave|interact|function|relate|mean|look|perform|evolve|affect)\b", re.I
)
_NAMED_URL = re.compile(
    r"(?:,?\s?\b(?:and|then|or)\b){0,2}\s?(?:also\s+)?(?:(?:see|read|fetch|use|using|from|at|on|via|visit|consult|there:?)\s+)?"
    + _URL.pattern,
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"(?:i|we|you|one|they|it|he|she)\b", re.IGNORECASE)
_WHOLE = re.compile(
    r"\b(?:between|relationship|difference|differences|interaction|combin\w+|trade-?offs?|versus|vs)\b", re.IGNORECASE
)
_BULLET = re.compile(r"^\s*(?:[-*+•]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+(.+)$")
_BROAD = re.compile(
    r"(?:please\s+)?(?:(?:do\s+)?(?:some\s+)?(?:wide|deep|thorough)?\s*research|investigate|explore|survey|study|"
    r"(?:give|write|prepare|create|produce)\b.*?\b(?:overview|report|introduction|survey)|"
    r"tell me about|an? overview)\b",
    re.IGNORECASE,
)
_INSTRUCTION_WORDS = frozenset(stem(word) for word in words_of("instructions"))
_REQUEST_STEMS = _INSTRUCTION_WORDS | {
    stem(word) for word in ("question", "document", "file", "folder", "archive", "point", "item", "following", "list")
}
"""Words of a line above a list that say what is to be done with it, not what it is about."""


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
            generic = word in fillers or word in GENERIC_WORDS or stem(word) in _GENERIC_STEMS
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


_GENERIC_STEMS = frozenset(stem(word) for word in GENERIC_WORDS) - {stem("import")}
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
            and not (re.fullmatch(_AUXILIARY, before) and _ends_phrase(sequence, at + 2))  # Does Corvid listen on ...
            and not _is_done(after)
        )
        compared = sequence[max(0, at - 2) : at] in (["compared", "with"], ["compared", "to"])
        goes_on = before in named and stem(before) in found and found[stem(before)].places  # At Jones Optics.
        places = compared or (word in named - coded and (before in PLACING or modifies or goes_on))
        found.setdefault(stem(word), QueryTerm(word, weights[stem(word)], word in named, places))
    if not any(term.is_core for term in found.values()):
        return tuple(replace(term, places=False) for term in found.values())
    return tuple(found.values())


_DONE_BY = re.compile(rf"\b{_AUXILIARY}\s+(?P<subject>(?:the |an? )?.+)$", re.IGNORECASE)
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
_FOR_NAME = re.compile(
    r"(?:for |to |by |from |in |at )?(?:who|whom|whose|where|(?:what|which) (?:company|firm|person|people|author|maker|"
    r"chemist|scientist|researcher|physicist|biologist|engineer|architect|artist|doctor|professor|player|team|man|woman|"
    r"manufacturer|town|city|country|place|organi[sz]ation|language|licen[cs]e))\b|"
    r"(?:what|how) (?:is|are|was|were) .{2,80} (?:called|named)\W*$",
    re.IGNORECASE,
)
_THING = re.compile(
    r"(?:(?:on|at|to|in|under|from|by|with|through|for) )?(?:which|what) (?:(?:is|are|was|were) the )?"
    r"(?:[a-z]+ )?(?P<thing>[a-z]+)"
    r"(?= (?:of|for|does|do|did|is|are)\b)"
)


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


def asks_for_name(question: str) -> bool:
    """Tell whether a name would answer."""
    return bool(_FOR_NAME.match(as_question(question).strip()))


_FOR_ONE_THING = re.compile(
    r"(?:^|[,;:] |\b(?:and|or|by|to|for|from|of|in|at|on|with|after|since|until|under|know|tell|me|us|remember|say) )"
    r"(?:who|whom|whose|where|when|which|"
    r"how (?!(?:do|does|did|is|are|was|were|can|could|should|to|has|have|will|would)\b)\w+|"
    r"what (?!(?:is|are|was|were|do|does|did|can|makes?|happens?|the)\b)\w+|"
    r"what (?:is|was) the (?:[\w-]+ ){1,3}of|what does (?:[\w-]+ )+(?:cost|weigh))\b",
    re.IGNORECASE,
)


def asks_for_one_thing(question: str) -> bool:
    """Tell whether one value or name would answer (which operator ...), rather than an account (how does X work)."""
    return asks_for_property(question) or bool(_FOR_ONE_THING.search(question))


def thing_asked(question: str) -> str | None:
    """Return the stem of the thing whose value is asked for (port, in *which port does X use*)."""
    match = _THING.match(as_question(question).strip().lower())
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


def plan_subtasks(brief: Brief) -> tuple[Subtask, ...]:
    """Cut the task of `brief` into 1 to `agents_max` subtasks, numbered from 1."""
    task = _tidied(brief.task)
    urls = _urls(task)
    text = _NAMED_URL.sub(" ", task)
    parts = _distinct(_parts(text) + _aspects_of_context(brief.context, text))
    if not parts:
        parts = [_Part(_headline(text), normalise(text) or brief.name or "The sources that the user named")]
    elif len(parts) == 1 and brief.agents_max >= 3:
        parts = _broad_aspects(parts[0]) or parts
    parts = _fit(parts, max(1, brief.agents_max))
    subtasks = [Subtask(number=n, title=part.title, question=part.question) for n, part in enumerate(parts, 1)]
    return _with_urls(subtasks, urls, task)


def _tidied(task: str) -> str:
    """Shorten runs of white space, so that no expression below can be made slow by them; line breaks stay."""
    return re.sub(r"\n{3,}", "\n\n", re.sub(r" ?\n ?", "\n", re.sub(r"[^\S\n]+", " ", task))).strip()


@dataclass(frozen=True)
class _Part:
    title: str
    question: str
    request: str = ""
    """The sentence of the task that it was cut out of."""


def _urls(text: str) -> list[tuple[str, int]]:
    """Return the addresses that the user named with their places, once each."""
    found: dict[str, int] = {}
    for match in _URL.finditer(text):
        found.setdefault(match.group().rstrip(".,;:!?*_`"), match.start())
    return list(found.items())


def _parts(text: str) -> list[_Part]:
    lead, bullets, rest = _bullets(text)
    requests = [request for request in _requests(rest if not bullets else lead) if not _is_instruction(request)]
    if bullets:
        context = " ".join([word for word in specific_terms(lead) if stem(word) not in _REQUEST_STEMS][:8])
        listed = [_bullet_part(item, context) for item in bullets if not _is_instruction(item)]
        asked = [part for request in requests if request.endswith("?") for part in _split_request(request, "")]
        return listed + asked
    parts: list[_Part] = []
    topic = ""
    for request in requests:
        parts.extend(_aspects_after_colon(request) or _split_request(request, topic))
        topic = _topic(request) if not _POINTING.search(request) else topic
    return parts


def _bullets(text: str) -> tuple[str, list[str], str]:
    """Return the text before a list of two or more items, the items, and the whole text."""
    items, lead = [], []
    for line in text.splitlines():
        match = _BULLET.match(line)
        if match:
            items.append(normalise(match.group(1)))
        elif not items:
            lead.append(line)
    return (" ".join(lead), items, text) if len(items) >= 2 else ("", [], text)


def _bullet_part(item: str, context: str) -> _Part:
    item = item.rstrip(".;, ")
    missing = [word for word in context.split() if stem(word) not in key_terms(item)]
    question = item if not missing else f"{item.rstrip('?')} ({' '.join(missing)})" + ("?" if item[-1:] == "?" else "")
    return _Part(_headline(item), question)


def _requests(text: str) -> list[str]:
    """Return the sentences that ask for something; all of them where none does so plainly."""
    pieces = [normalise(piece) for piece in re.split(r"(?<=[.?!])\s+(?=[A-Z\"“(])|(?<=\?)\s+(?=[a-z])|\n{2,}", text)]
    pieces = [piece for piece in pieces if re.search(r"\w", piece)]
    asking = [piece for piece in pieces if piece.endswith("?") or _LEAD.match(piece)]
    return asking or ([normalise(" ".join(pieces))] if pieces else [])


def _is_instruction(request: str) -> bool:
    """Tell whether a sentence is about the report's form only (cite your sources, be concise)."""
    about = [term for term in key_terms(_LEAD.sub("", request, count=1)) if term not in _INSTRUCTION_WORDS]
    return not any(term not in _GENERIC_STEMS for term in about)


def _topic(request: str) -> str:
    """Return what a request is about, as words of it: context for the clauses that follow."""
    body = _LEAD.sub("", request, count=1).rstrip("?. ")
    tail = _TAIL.search(body)
    if tail and tail.group("tail").split()[0].lower() in ("work", "works", "differ", "compare", "behave", "are", "is"):
        body = body[: tail.start()]
    return body if len(body.split()) <= 10 else " ".join(specific_terms(request)[:6])


def _split_request(request: str, topic: str) -> list[_Part]:
    """Cut a request into its clauses; `topic` is what the request before was about."""
    question = request.endswith("?")
    cut = [phrase for clause in _NEW_CLAUSE.split(request) for phrase in _key_words_cut(clause)]
    clauses = [clause.strip(" ,;.?") for clause in cut if clause.strip(" ,;.?")]
    parts: list[_Part] = []
    for clause in clauses:
        if not specific_terms(clause):
            continue
        first = clause is clauses[0]
        own_topic = topic if first else _topic(clauses[0])
        context = own_topic if _POINTING.search(clause) or not (first or _DEFINITION.match(clause)) else ""
        for text, title in _enumeration(clause) or [(clause, "")]:
            ends = "?" if question or _ASKS.match(text) else "."
            text = _capital(text)
            parts.append(_Part(title or _headline(text + ends), _in_context(text, context) + ends, request))
    return parts


def _key_words_cut(clause: str) -> list[str]:
    """Cut off the properties that are asked for by name alone (what is the price of X, and weight of Y)."""
    first, *others = re.split(r",?\s+and\s+", clause)
    return [first, *others] if all(map(asks_for_property, others)) else [clause]


_COLON = re.compile(r"(?P<head>[^:?]{3,200}):\s+(?P<items>[^:?]{3,300})\?$")
_ABOUT = re.compile(r"^(?:known|there to know|to know|said|written)\s+(?:about|of)\s+", re.IGNORECASE)


def _aspects_after_colon(request: str) -> list[_Part]:
    """Cut *What is known about X: its A, its B, and who makes it?* into a question for each of A, B and who."""
    match = _COLON.match(request)
    items = re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", match["items"].strip()) if match else []
    if match is None or len(items) < 2 or not all(_OF_IT.search(item) for item in items):
        return []
    lead = _LEAD.match(match["head"])
    about = _ABOUT.sub("", match["head"][lead.end() if lead else 0 :].strip())
    topic = re.sub(r"^(?:the|an?) ", "", about)
    parts = []
    for item in items:
        if named := re.match(r"its (.+)", item, re.IGNORECASE):
            parts.append(_Part(_capital(_cut(f"{topic}: {named[1]}")), f"What is the {named[1]} of {about}?", request))
        else:
            question = _capital(re.sub(r"\bit\b", about, item, count=1)) + "?"
            parts.append(_Part(_headline(question), question, request))
    return parts


_OF_IT = re.compile(r"\b(?:its|it)\b", re.IGNORECASE)
_DEFINITION = re.compile(r"(?:what|who) (?:is|are|was|were) (?:an? |the )?[\w.+#-]+(?: [\w.+#-]+)?$", re.IGNORECASE)


def _in_context(clause: str, context: str) -> str:
    """Add the topic to a clause that would be too short to search for by itself."""
    own = {term for term, weight in key_terms(clause).items() if weight == 1.0}
    placeless = bool(names(f"in {context}")) and not names(clause)
    if (
        not context
        or (len(own) > 2 and not placeless and not _POINTING.search(clause))
        or contained(terms(context), own) >= 0.5
    ):
        return clause
    return f"{clause} ({context})"


def _enumeration(clause: str) -> list[tuple[str, str]]:
    """Return (clause, title) for each item that a clause enumerates, or nothing where it enumerates none plainly."""
    lead = _LEAD.match(clause)
    if not lead or _WHOLE.search(clause):
        return []
    head, body = clause[: lead.end()], clause[lead.end() :]
    pieces = [piece.strip() for piece in re.split(r"\s*,\s*(?:and|&)\s+|\s*,\s*|\s+(?:and|&)\s+", body)]
    if len(pieces) < 2 or not re.search(r"\s(?:and|&)\s", body) or _PRONOUN.match(body):
        return []
    last, tail = _cut_tail(pieces[-1])
    if re.match(_AUXILIARY + r"\b", tail, re.IGNORECASE) and re.search(rf"\b{_AUXILIARY}\b", head, re.IGNORECASE):
        return []  # Two verbs: the tail belongs to the last piece alone (how can it walk X and test whether Y is Z).
    first = pieces[0]
    if re.fullmatch(r"[A-Z]\S*", first) and (said := re.fullmatch(r"([A-Z]\S*) ([a-z].*)", last)):
        last, tail = said.group(1), f"{said.group(2)} {tail}".strip()  # What names are said to do.
    if not tail and re.search(_TAIL, first):
        return []
    is_object = bool(re.search(r"\b(?:do|does|did)\b", head, re.IGNORECASE)) and not _VERB_TAIL.match(tail)
    shared = not any(re.search("[A-Z]", piece) for piece in pieces[1:])
    before, first = _cut_prefix(first, len(last.split()), words_max=0 if is_object else 3, shared=shared)
    items = [first, *pieces[1:-1], last]
    if not all(_is_item(item, tail) for item in items):
        return []
    return [_phrase(head, before, item, tail) for item in items]


def _cut_tail(piece: str) -> tuple[str, str]:
    match = _TAIL.search(piece)
    return (piece[: match.start()], match.group("tail")) if match else (piece, "")


def _cut_prefix(piece: str, parallel: int, *, words_max: int, shared: bool) -> tuple[str, str]:
    """Cut what all items share off the first one: a proper name before common nouns, or the start of a long clause."""
    parts = piece.split()
    names = 0
    while shared and names < len(parts) - 1 and parts[names][:1].isupper():
        names += 1
    if len(parts) - names > words_max and parallel < len(parts) - names:
        cut = len(parts) - parallel
        return " ".join(parts[:cut]), " ".join(parts[cut:])
    return " ".join(parts[:names]), " ".join(parts[names:])


def _is_item(item: str, tail: str) -> bool:
    """Tell whether an item can stand alone; with a tail that says what it is about (of Z), any content word will do."""
    if not 0 < len(item.split()) <= ITEM_WORDS_MAX:
        return False
    return bool(specific_terms(item)) or bool(key_terms(item) and specific_terms(tail))


def _phrase(head: str, before: str, item: str, tail: str) -> tuple[str, str]:
    body = " ".join(part for part in (before, item, tail) if part)
    title = " ".join(part for part in (before, item, _title_tail(tail)) if part)
    if re.match(r"(?:please\s+)?(?:compare|contrast)", head, re.IGNORECASE):
        return f"What characterises {body}", _headline(title)
    return f"{head.strip()} {body}", _headline(title)


def _title_tail(tail: str) -> str:
    return tail if re.match(r"(?:in|of|for|with|on|under|during)\b", tail, re.IGNORECASE) else ""


def _headline(text: str) -> str:
    """Make a short title: the question itself, or what a request is about where its lead-in says nothing more."""
    text = _CONTEXT.sub("", normalise(text)).strip(" .,;:")
    lead = _LEAD.match(text)
    body = text[lead.end() :].strip(" ?.,;:") if lead else text.strip(" .,;:")
    whole = text.endswith("?") and not (lead and _NAMES_ONLY.match(lead.group()) and _is_noun_phrase(body))
    if whole or not specific_terms(body) or _PRONOUN.match(body):
        body = text
    return _capital(_cut(body)) or "Research"


_NAMES_ONLY = re.compile(r"(?:what|which|who)\s+(?:is|are|was|were)\b", re.IGNORECASE)


def _is_noun_phrase(body: str) -> bool:
    """Tell whether what a question asks for makes a title by itself: more than a name, nothing done in it."""
    done = _VERB_TAIL.search(body) or re.search(r"\b\w+ed\b|\b(?:used|known|for|is|are)\b", body)
    return len(body.split()) > 2 and not done


def _cut(text: str) -> str:
    if len(text) <= TITLE_CHARACTERS_MAX:
        return text
    return text[: TITLE_CHARACTERS_MAX - 1].rsplit(" ", 1)[0].rstrip(" ,;:?") + "…"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _aspects_of_context(context: Mapping[str, Any], text: str) -> list[_Part]:
    """Take the parts that the user listed in the run's context (`questions`, `aspects`, `subtopics`)."""
    topic = " ".join(specific_terms(text)[:6])
    listed = [context.get(key) for key in ("questions", "aspects", "subtopics")]
    items = [item for each in listed if isinstance(each, list | tuple) for item in each if isinstance(item, str)]
    return [_bullet_part(normalise(item), topic) for item in items if specific_terms(item)]


def _broad_aspects(part: _Part) -> list[_Part]:
    """Look at a broad topic from three sides; a question that asks for something definite stays whole."""
    topic = _LEAD.sub("", part.question, count=1).rstrip("?. ")
    if not _BROAD.match(part.question) or len(specific_terms(topic)) > 5 or "," in topic:
        return []
    return [
        _Part(_headline(topic), f"What is known about {topic}?"),
        _Part(
            _headline(f"{topic}: practice"), f"{_capital(topic)}: mechanisms, applications and examples in practice."
        ),
        _Part(_headline(f"{topic}: limits"), f"{_capital(topic)}: limits, problems and risks."),
    ]


def _distinct(parts: list[_Part]) -> list[_Part]:
    kept: list[_Part] = []
    for part in parts:
        part = replace(part, question=part.question[:QUESTION_CHARACTERS_MAX])
        same = any(overlap(key_terms(part.question), key_terms(other.question)) > 0.85 for other in kept)
        if not same and re.search(r"\w", part.question):
            kept.append(part)
    return kept


def _fit(parts: list[_Part], count: int) -> list[_Part]:
    """Put neighbours together until there are at most `count`: parts of one request first, the shortest first."""
    while len(parts) > count:
        at = min(
            range(len(parts) - 1),
            key=lambda index: (
                not parts[index].request or parts[index].request != parts[index + 1].request,
                len(parts[index].question) + len(parts[index + 1].question),
                index,
            ),
        )
        parts = [*parts[:at], _joined(parts[at], parts[at + 1]), *parts[at + 2 :]]
    return parts


def _joined(left: _Part, right: _Part) -> _Part:
    question = f"{left.question} {right.question}"[: 4 * QUESTION_CHARACTERS_MAX]
    if left.request and left.request == right.request:
        return _Part(_capital(_cut(left.request.rstrip(". "))), question, left.request)
    return _Part(
        _cut(f"{left.title} {right.title}" if left.title.endswith("?") else f"{left.title}; {right.title}"), question
    )


def _with_urls(subtasks: list[Subtask], urls: list[tuple[str, int]], task: str) -> tuple[Subtask, ...]:
    """Put every address on the subtask whose words are nearest to it: in the address, or around it in the task."""
    taken: dict[int, list[str]] = {subtask.number: [] for subtask in subtasks}
    for url, at in urls:
        path = terms(re.sub(r"[/_.?=&#-]", " ", url))
        around = terms(_URL.sub(" ", task[max(0, at - 120) : at]))
        best = max(
            subtasks,
            key=lambda subtask: (
                3 * _shared(subtask.question, path) + _shared(subtask.question, around),
                -subtask.number,
            ),
        )
        taken[best.number].append(url)
    return tuple(
        subtask.model_copy(update={"urls": tuple(taken[subtask.number])}) if taken[subtask.number] else subtask
        for subtask in subtasks
    )


def _shared(question: str, found: tuple[str, ...]) -> float:
    return sum(weight for term, weight in key_terms(question).items() if term in found)
