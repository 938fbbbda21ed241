"""Phrased: what is asked for in key words (*population of Halmoholm*, *Halmoholm population*) as a question. Pure."""

import re
from collections.abc import Sequence
from functools import lru_cache

from activities.research.lexicon import groups_of, table_of, words_of
from activities.research.text import STOP_WORDS, singular, stem, words
from activities.research.units import unit_of

WORDS_MAX = 9
ASKED_AFTER_WORDS_MAX = 4
_QUESTION_WORDS = frozenset({"how", "to", "what", "when", "where", "which", "who", "why"})
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
_ACCOUNTS = words_of("accounts")
"""What is called by a noun and takes more than a value to tell."""
_PLURALS = words_of("plural_properties")
"""Properties that are called by a plural."""
_COUNTED = frozenset(map(stem, words_of("counted") | words_of("collectives")))
_VERBS = words_of("verbs")
_INSTRUCTIONS = (words_of("imperatives") | words_of("instructions") | words_of("generic_words")) - words_of("measures")
_LEAD = (
    r"(?:please|kindly|(?:can|could|would|will) (?:you|somebody|someone|anybody|anyone)|do you(?: happen to)?|"
    r"(?:may|might|can|could) (?:i|we)(?= (?:please |kindly )?(?:ask|know|learn|hear))|"
    r"(?:i|we)(?:['’]d| (?:would|should|need|want|have|must|wish|am|are))?)\b[^?.:;,]{0,40}?"
)
_TELL = (
    r"(?:tell(?:ing)?|giv(?:e|ing)|show(?:ing)?|find(?:ing)?|look(?:ing)? up|name|state|inform|send|confirm|provide)"
)
_COURTESY = re.compile(
    rf"(?:[^?.:;,]{{1,50}}, (?={_LEAD} ))?(?:{_LEAD} ?\b(?:{_TELL}|learn|know|ask|need|want|have|hear)|{_TELL})\b"
    r"(?: (?:me|us|out|up|please|kindly|to know|to find out|for me|for us))*,? "
    r"(?=(?:the|whether) |"
    r"(?:(?:after|at|by|for|from|in|of|on|since|to|under|until|with) )?(?:what|which|who|whose|whom|how|when|where) )",
    re.IGNORECASE,
)
_W = r"(?: (?!(?:who|which|that|what|when|where)\b)[a-z'’]+)"
_TOLD = (
    r"(?:say|tell|told|state|know|learn|hear|explain|inform|describe|indicate|advised?|enquire|inquire|ask|clarify|"
    r"confirm|"
    r"find out|enlighten|interested(?: in)?|curious)"
)
_SPEAKING = (
    rf"(?:i|we)(?: wonder(?: (?:if|whether){_W}{{1,6}} {_TOLD})?|"
    rf"(?:['’]d| would| should| want| need| wish| like| am| are){_W}{{0,10}} {_TOLD})|"
    rf"(?:can|could|would|will|may|might) (?:you|somebody|someone|anybody|anyone|one){_W}{{0,8}} {_TOLD}|"
    rf"(?:can|could|may|might) (?:i|we)(?: be)?{_W}{{0,4}} (?:advised|told|hear|learn|know|ask|enquire|inquire)|"
    rf"(?:can|could|would) the (?:[a-z]+ ){{1,3}}(?:please |kindly )?(?:say|tell|state|explain|confirm)|"
    rf"would it be possible{_W}{{0,3}} {_TOLD}|is it (?:known|recorded|clear)|"
    rf"(?:our|my|an?|the) (?:[a-z]+ ){{1,3}}(?:would|wants|needs|wishes){_W}{{0,3}} to (?:be )?{_TOLD}|"
    rf"(?:kindly|please){_W}{{0,3}} {_TOLD}|"
    r"(?:any|do you have any|i have no|has anybody any) (?:idea|clue)(?: of| about| as to)?"
)
_EMBEDDED = re.compile(
    rf"(?:{_SPEAKING})(?: (?:me|us|(?:my|our) [a-z]+|to (?:me|us|an? [a-z]+)|please|kindly))?,? "
    r"(?=(?:(?:after|at|by|for|from|in|of|on|over|since|to|under|until|with|within) )?"
    r"(?:(?:what|which|who|whom|whose|when|where) (?!to\b)|"
    r"how (?!(?:do|does|did|to|is|are|was|were|can|could)\b)[a-z]+ )[^.:;?]+[.?]?$)"
)
"""What somebody says of asking before he asks, without a name: *I wonder*, *would it be possible to learn*."""
_OPENING = re.compile(r"(?:so|and|well|okay|ok|by the way),? (?=(?:what|which|who|how) [a-z])", re.I)
_CLOSING = re.compile(r"(?:(?<! for),? please|, (?:many thanks|thanks|thank you))+$")
_FOR_ME = re.compile(r" for (?:me|us)$")
_CONTRACTED = re.compile(r"\b(what|who|where|when|how)['’]s\b", re.IGNORECASE)
_ASKING = (
    r"(?:after |by |for |from |in |of |on |over |at |to |under |until |with |within |since )?"
    r"(?:what|which|who|whom|whose|when|where|how (?:many|much|long|high|tall|old|far|fast|deep|wide|heavy))"
)
_ASKS = re.compile(
    rf"(?:{_ASKING}|(?:after |at |by |for |in |of |on |over |to |with |within )?how|why|"
    r"is|are|was|were|do|does|did|can|could|should|will|has|have|had)\b",
    re.I,
)
_ASKS_LAST = re.compile(rf"(?P<about>.+?)[:,;]? (?P<asking>{_ASKING})", re.IGNORECASE)
_NAME_OF = re.compile(r"(?:the )?names? of (?=the )", re.IGNORECASE)
_DOER = re.compile(
    r"(?:the )?(?P<kind>[a-z]+) (?:that|who|which) (?P<does>(?:[a-z-]+ )+?(?:the )?(?-i:[A-ZÀ-Ý\d]).*)", re.IGNORECASE
)
_DOERS = words_of("doers")
_ADDING_NOTHING = frozenset({"name", "value", "figure", "number", "type", "total", "amount", "default"})
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
_PASSIVE = re.compile(r"\b(?:is|was|were|has|had|did)\b")
_NAME = r"(?:the )?[A-ZÀ-Ý\d][\w.-]*(?: (?:of |the )?[A-ZÀ-Ý\d][\w.-]*)*"
_NAME_FIRST = re.compile(rf"(?P<name>{_NAME})[,:]?(?P<property>(?: (?![A-ZÀ-Ý][a-zà-ý]{{2}})[\w-]+){{1,6}})")
_NAME_LAST = re.compile(
    rf"(?P<property>(?:[a-z][\w-]*[,:]? |[A-Z]{{2,4}} (?=[a-z])){{1,4}})(?P<name>{_NAME}(?: [a-z-]+)?)"
)
_ASKED_AFTER = re.compile(
    rf"(?P<name>{_NAME})(?P<noun>(?: [a-z]+){{0,2}}),? "
    r"(?P<asking>(?P<word>(?:(?:at|by|from|in|of|on|since|to|under) )?"
    r"(?:who|whom|whose|which|what(?! (?:is|are|was|were)\b)|(?:when|where)(?! to\b)|"
    r"how(?= (?:many|much|long|high|tall|old|far|fast|deep|wide|heavy|big|large|loud|strong|hot|dense)\b)))\b.*)"
)
"""Ulgad who makes it, Ulgad which licence, Ulgad how heavy."""
_IT = re.compile(r"\b(?:it|that|this|there|they)$")
_DONE_BY = re.compile(rf"(?P<name>{_NAME}) (?P<done>[a-z]+ed|[a-z]+wn|built|made|written|led) by")
_LATELY = re.compile(r",? (?:last year|this year|per year|per annum|a year|nowadays|today|currently|at present|now)$")
_INITIALS_FIRST = re.compile(rf"(?P<property>[A-Z]{{2,4}}),? (?P<name>{_NAME})")
"""CEO Ulgad Works."""


@lru_cache(maxsize=4_096)
def as_question(phrase: str) -> str:
    """Return a question that begins with its question word; what asks for no property of something named stays.

    *Mayor of Halmoholm* -> *Who is the mayor of Halmoholm?*, *Ulgad memory* -> *What is the memory of Ulgad?*,
    *could you give me the price of Ulgad* -> *What is the price of Ulgad?*
    """
    phrase = _without_thanks(_CONTRACTED.sub(r"\1 is", phrase))
    asked = _bare(phrase)
    if _ASKS.match(asked) and asked[:3] != phrase.strip()[:3]:
        return f"{asked[0].upper()}{asked[1:]}?"
    return _property_asked(asked) or phrase


def asks_for_property(phrase: str) -> bool:
    """Tell whether key words ask for one property of something named; *can you tell me how X works* asks for more."""
    return _property_asked(_bare(_without_thanks(_CONTRACTED.sub(r"\1 is", phrase)))) is not None


_THE_ONE = re.compile(
    r"the (?:[a-z-]+ ){0,2}?(?P<what>[a-z-]+) (?:that|which|who|whom|whose|of|in|on|at|for|from|with|by|to)\b"
)


def asks_for_the_one(phrase: str) -> bool:
    """Tell whether somebody asks for one thing by its description (could you name the substance that X is made of)."""
    phrase = _without_thanks(phrase)
    bare = _bare(phrase)
    described = _THE_ONE.match(bare) if bare != phrase.rstrip("?. ") else None
    return bool(described and singular(described["what"]) == described["what"] and described["what"] not in _ACCOUNTS)


_ACCOUNT = re.compile(
    r"(?:how (?:do|does|did|to|is|are|was|were|can|could|should|would|has|have)|why|in (?:what|which) ways?|"
    r"what (?:is|was) (?:known|there|said|new)|"
    r"what (?:do|does|should|can|could|must) (?:we|i|you|one|people|anybody) (?:know|say)|"
    r"(?:(?:tell|inform) (?:me|us) )?(?:all |everything |anything |something |more )?about|"
    r"(?:explain|describe|compare|discuss|outline|analy[sz]e|summari[sz]e|introduce|review|research|investigate)|"
    r"what(?: is|['’]s| are| was| were) (?:(?:an?|the) )?(?-i:[A-ZÀ-Ý])[^ ]*(?: (?-i:[A-ZÀ-Ý\d])[^ ]*)*$|"
    rf"what (?:are|were) the|what (?:happens|happened)|(?:{'|'.join(sorted(words_of('instructions')))}))\b",
    re.IGNORECASE,
)


def asks_for_account(phrase: str) -> bool:
    """Tell whether more than a value is asked for: how or why something is, several things, the history of it."""
    bare = _bare(_without_thanks(phrase))
    return bool(_ACCOUNT.match(bare)) or not _ACCOUNTS.isdisjoint(words(bare)) or " " not in bare


def _without_thanks(phrase: str) -> str:
    """Return a phrase without the courtesy at its end."""
    said = phrase.rstrip("?.! ")
    closing = _CLOSING.search(said)
    return f"{said[: closing.start()]}?" if closing else phrase


def _bare(phrase: str) -> str:
    """Return what is asked without the courtesy before it."""
    phrase = phrase.strip()
    spoken = _decapitalised(phrase).replace("I ", "i ")
    courtesy = _COURTESY.match(phrase) or _EMBEDDED.match(spoken) or _OPENING.match(phrase)
    bare = phrase[courtesy.end() if courtesy else 0 :].rstrip("?. ")
    return _FOR_ME.sub("", bare) if courtesy else bare


@lru_cache(maxsize=4_096)
def _property_asked(asked: str) -> str | None:
    """Return the question that key words stand for; None where they ask for no property of something named."""
    if (told := _TOLD_FIRST.fullmatch(asked)) and (named := _names_in(told["lead"])):
        return f"What is the {told['property']} of {named[0]}?"
    if _ASKS.match(asked) or len(asked.split()) > WORDS_MAX:
        return None
    asked = asked.replace(" t1/2", "")  # The symbol of a half-life.
    rearranged = _rearranged(asked)
    if rearranged is not None:
        return rearranged
    asked = _LATELY.sub("", _NAME_OF.sub("", asked).removeprefix("the ").removeprefix("The "))
    if (last := asked.rsplit(" ", 1)[-1]) != asked and written_as_unit(last):
        found = _property_asked(asked[: -len(last)].rstrip(" ,:"))
        return f"{found[:-1]}, in {last}?" if found else None
    return _key_words(asked)


def _rearranged(asked: str) -> str | None:
    """Return the question in whose words only their order or their verb is not that of a question."""
    if last := _ASKS_LAST.fullmatch(asked):
        return f"{last['asking'].capitalize()} {last['about']}?"
    asked = _NAME_OF.sub("", asked).removeprefix("the ").removeprefix("The ")
    if (doer := _DOER.fullmatch(asked)) and doer["kind"] in _DOERS:
        who = "Who" if doer["kind"] in ("person", "man", "woman") else f"Which {doer['kind']}"
        return f"{who} {doer['does']}?"
    after = _ASKED_AFTER.fullmatch(asked)
    if after and after["name"].lower() not in _INSTRUCTIONS and not _is_relative(after):
        return _asked_after(after)
    if by := _DONE_BY.fullmatch(asked):
        return f"By whom was {by['name']} {by['done']}?"
    if done := _WHEN_DONE.fullmatch(asked[:1].lower() + asked[1:]):
        verb = "" if _PASSIVE.search(done["done"]) else "was "
        return f"In which {done['time']} {verb}{done['done']}?"
    return None


def _key_words(asked: str) -> str | None:
    """Return the question for a property and a name, in either order."""
    if match := _PROPERTY_OF.fullmatch(asked):
        return _of_something(match, asked)
    if (first := _INITIALS_FIRST.fullmatch(asked)) and stem(first["property"].lower()) in _PROPERTIES:
        return _asking_for([first["property"].lower()], "", f"{first['property']} of {first['name']}")
    for match in (_NAME_FIRST.fullmatch(asked), _NAME_LAST.fullmatch(_decapitalised(asked))):
        if match is None or unit_of(match["name"]) is not None:
            continue
        said = re.sub("[,:]", "", match["property"]).split()
        doing = said[1:] if said[0] == "last" else said  # The last eruption: nothing lasts.
        proper = match.re is _NAME_FIRST and _is_proper(match["name"], said)
        # What one thing does ends in -s: the start of it is asked for.
        does = [word for word in doing if word in _VERBS and stem(word) not in _MEASURES]
        does = [word for word in does if not proper or f"{word}s" not in _VERBS]
        if does or len(said) > (6 if proper else 4) or _QUESTION_WORDS.intersection(said):
            continue
        if question := _asking_for(said, match["name"]):
            return question
    return None


def _is_relative(match: re.Match[str]) -> bool:
    """Tell whether a clause says which ones are meant (Swiss cantons where French is spoken)."""
    name, noun, asking = match["name"], match["noun"], match["asking"]
    many = (noun or name).endswith("s") and (bool(noun) or " " not in name)
    return not asking.startswith("how") and (many or len(asking.split()) > ASKED_AFTER_WORDS_MAX)


def _asked_after(match: re.Match[str]) -> str:
    """Return the question that stands behind what it is about, in order."""
    asking, about = match["asking"], f"{match['name']}{match['noun']}"
    whole = f"{asking[0].upper()}{asking[1:]}"
    if _IT.search(asking):
        return f"{_IT.sub(about, whole)}?"
    following = asking[len(match["word"]) :].split()
    if match["word"] == "how" and len(following) == 1:
        return f"{whole} is {about}?"
    if match["word"] in ("who", "whom") and not (len(following) > 1 and following[0] in ("is", "was")):
        return f"{whole} {about}?"
    return f"{whole} of {about}?"


def written_as_unit(word: str) -> bool:
    """Tell whether a word can only be a unit (MPa, kg/m3, mg); *g*, *in* and *metres* may be words."""
    only = re.search(r"[A-Z]|/|[²³]", word) or not re.search(r"[aeiou]", word)
    return len(word) > 1 and unit_of(word) is not None and bool(only)


def _of_something(match: re.Match[str], asked: str) -> str | None:
    """Return the question for *density of Ulgad*; None for a topic (energy in Europe)."""
    said = match["property"].lower().split(" of ")[0].split()
    if said[0] in _INSTRUCTIONS:
        return None
    counted = _COUNTED.intersection(map(stem, words(match["property"])))
    plainly = (_ROLES | _MEASURES).intersection(map(stem, said))
    if match["of"] in ("in", "at") and not counted and not plainly:
        return None  # Energy in Europe: a topic.
    if re.search(r"[a-z][A-Z]", match["property"].split()[0]):  # kW of the Ulvek 20, running.
        return _asking_for(match["property"].split(), asked[match.end("of") :].strip().removeprefix("the "))
    return _asking_for(said, "", _decapitalised(asked))


def _names_in(text: str) -> list[str]:
    found = (match.group().removeprefix("the ") for match in re.finditer(_NAME, text))
    return [name for name in found if name.lower() not in STOP_WORDS]


def _is_proper(name: str, said: Sequence[str]) -> bool:
    """Tell whether a name of several words stands there: behind it, the base of a verb is a noun (start location)."""
    parts = name.removeprefix("the ").split()
    return (
        len(parts) > 1
        and all(part.istitle() for part in parts)
        and parts[0].lower() not in _INSTRUCTIONS | _VERBS
        and not STOP_WORDS.intersection(said)
    )


def _asking_for(said: Sequence[str], name: str, whole: str = "") -> str | None:
    """Put the question word before what is asked; None where nothing in `said` is known as a property, or a unit.

    Args:
        whole: what is asked, with its name, where it needs no putting together.
    """
    said, unit = list(said), ""
    while len(said) > 1 and not whole:
        if said[-1] not in _TIMES and said[-2] != "per" and unit_of(said[-1]) is not None:
            unit = said.pop()  # Tensile strength MPa.
        elif said[-1].lower() in _ADDING_NOTHING and said[-1] != said[0]:
            said.pop()
        else:
            break
    if len(said) == 1 and unit_of(said[0]) is not None and re.search(r"[A-Z]", said[0]) and not whole:
        said, unit = ["figure"], said[0]
    what = whole or f"{' '.join(said)} of {name}"
    known = _PROPERTIES.intersection(map(stem, said))
    if "of" in said[1:]:
        said = said[: said.index("of")]  # Span of wings.
    if any(stem(word) in _COUNTED and word.endswith("s") for word in said):
        return f"How many {what}?"
    if not (known or unit) or (singular(said[-1]) != said[-1] and said[-1] not in _PLURALS):
        return None  # Limits of Python: an account is asked for.
    return f"{'Who' if known and known <= _ROLES else 'What'} is the {what}{f', in {unit}' if unit else ''}?"


def _decapitalised(text: str) -> str:
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
