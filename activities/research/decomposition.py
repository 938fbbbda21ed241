"""Decomposition: what a task asks for, cut into parts that can be searched for one by one. Pure.

The rule is caution: where the grammar is not plain, a question stays whole. Fewer parts rather than senseless ones.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from activities.research.lexicon import words_of
from activities.research.phrased import asks_for_property
from activities.research.quantities import names
from activities.research.questions import AUXILIARY, GENERIC_STEMS, key_terms, specific_terms, without_context
from activities.research.similarity import contained, overlap
from activities.research.text import normalise, stem, terms
from schema.contracts.research import Brief, Subtask

TITLE_CHARACTERS_MAX = 80
QUESTION_CHARACTERS_MAX = 600
ITEM_WORDS_MAX = 7

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
    return not any(term not in GENERIC_STEMS for term in about)


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
    if re.match(AUXILIARY + r"\b", tail, re.IGNORECASE) and re.search(rf"\b{AUXILIARY}\b", head, re.IGNORECASE):
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
    text = without_context(normalise(text)).strip(" .,;:")
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
