"""Mutations of reports: every way in which a citation can be wrong, applied one at a time.

`mutations(...)` is a pure function of a rendered report and a seed, for tests and for the evaluation. Each mutation is
applied to the text alone, and once more to text and sidecar alike (`forged`), where only the snapshots can tell.

A swapped citation is wrong only where the other sentence's spans do not show the sentence too. `also_shows` says when
they do, independently of the gate: every word of the sentence that is no stop word, digits included, stands in them.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from activities.research.citations import CitedSentence, CitedSource, CitedSpan, Sidecar
from activities.research.markdown import escape
from activities.research.quantities import dates, figures, names, negations, quotations
from activities.research.text import STOP_WORDS, stem, words
from activities.research.units import unit_of


@dataclass(frozen=True)
class Mutation:
    """One altered report; a verifier must find at least one problem in it."""

    kind: str
    forged: bool
    """The sidecar was altered to fit."""
    sentence: str
    markdown: str
    sidecar: Sidecar
    snapshots: Mapping[str, str]


def mutations(markdown: str, sidecar: Sidecar, snapshots: Mapping[str, str], *, seed: int) -> Iterator[Mutation]:
    """Yield the mutations that apply to each cited sentence of a report."""
    chance = random.Random(seed)
    cited = [sentence for sentence in sidecar.sentences if sentence.spans]
    for sentence in cited:
        for kind, alter in ALTERATIONS.items():
            text = alter(sentence.text, chance)
            if text is None or text == sentence.text:
                continue
            changed = _with_text(markdown, sentence, text)
            if changed is not None:
                yield Mutation(kind, False, sentence.text, changed, sidecar, snapshots)
                forged = _with_sentences(sidecar, {sentence.text: sentence.model_copy(update={"text": text})})
                yield Mutation(kind, True, sentence.text, changed, forged, snapshots)
        yield from _of_spans(markdown, sidecar, snapshots, sentence, chance)
    yield from _swaps(markdown, sidecar, snapshots, chance)
    for source in sidecar.sources:
        gone = {sha256: text for sha256, text in snapshots.items() if sha256 != source.snapshot_sha256}
        yield Mutation("delete a snapshot", False, source.title, markdown, sidecar, gone)
        text = snapshots[source.snapshot_sha256]
        changed_text = text[:-1] + ("x" if text[-1:] != "x" else "y")
        altered = {**snapshots, source.snapshot_sha256: changed_text}
        yield Mutation("alter a snapshot", False, source.title, markdown, sidecar, altered)
        without = re.sub(rf"^\[{source.n}\] .*\n", "", markdown, flags=re.MULTILINE)
        yield Mutation("delete a source", False, source.title, without, sidecar, snapshots)
        fewer = tuple(each for each in sidecar.sources if each.n != source.n)
        yield Mutation(
            "delete a source", True, source.title, without, sidecar.model_copy(update={"sources": fewer}), snapshots
        )


def also_shows(sentence: str, spans: tuple[CitedSpan, ...]) -> bool:
    """Tell whether other spans show a sentence as well: they have all its words and figures."""
    shown = {stem(word) for span in spans for word in words(span.quote)}
    said = {stem(word) for word in words(sentence) if word not in STOP_WORDS}
    return said <= shown


def _figure(change: Callable[[str, random.Random], str]) -> Callable[[str, random.Random], str | None]:
    def alter(text: str, chance: random.Random) -> str | None:
        found = figures(text)
        if not found:
            return None
        figure = chance.choice(found)
        return text[: figure.start] + change(text[figure.start : figure.end], chance) + text[figure.end :]

    return alter


def _other_digit(raw: str, chance: random.Random) -> str:
    at = chance.choice([index for index, character in enumerate(raw) if character.isdigit()])
    digit = chance.choice([each for each in "123456789" if each != raw[at]])
    return raw[:at] + digit + raw[at + 1 :]


def _tenfold(raw: str, chance: random.Random) -> str:
    return raw + "0" if "." not in raw else raw.replace(".", "", 1)


def _scale(text: str, chance: random.Random) -> str | None:
    other = {"thousand": "million", "million": "billion", "billion": "million", "trillion": "billion"}
    match = re.search(r"(?<=\d )(thousand|million|billion|trillion)\b", text)
    return text[: match.start()] + other[match[1]] + text[match.end() :] if match else None


def _sign(text: str, chance: random.Random) -> str | None:
    found = [figure for figure in figures(text) if re.search(r"(?:^|\s)$", text[: figure.start]) and figure.value > 0]
    if not found:
        negative = re.search(r"(?<=\s)[-−](?=\d)", text)
        return text[: negative.start()] + text[negative.end() :] if negative else None
    figure = chance.choice(found)
    return f"{text[: figure.start]}-{text[figure.start :]}"


_OTHER_UNITS = {"kW": "MW", "km": "m", "m": "km", "kg": "g", "%": "percentage points", "USD": "EUR", "EUR": "CHF"}


def _unit(text: str, chance: random.Random) -> str | None:
    for figure in figures(text):
        behind = re.match(r"[\s-]?([A-Za-z°µ]+(?:/[a-z]+)?[²³]?)\b", text[figure.end :])
        known = unit_of(behind[1]) if behind else None
        if behind and known and known.canonical != "%":
            other = _OTHER_UNITS.get(known.canonical, "kg" if known.dimension != "mass" else "km")
            start, end = behind.span(1)
            return text[: figure.end + start] + other + text[figure.end + end :]
    return None


def _points(text: str, chance: random.Random) -> str | None:
    match = re.search(r"(?<=\d)\s?(?:%|percent\b|per cent\b)", text)
    if match:
        return f"{text[: match.start()]} percentage points{text[match.end() :]}"
    match = re.search(r"(?<=\d) percentage points?\b", text)
    return f"{text[: match.start()]} percent{text[match.end() :]}" if match else None


def _date(text: str, chance: random.Random) -> str | None:
    found = dates(text)
    if not found:
        return None
    date = chance.choice(found)
    raw = text[date.start : date.end]
    year = re.search(r"\d{4}", raw)
    if year is None:
        return None
    other = str(int(year[0]) + chance.choice((-11, -3, 2, 7)))
    return text[: date.start] + raw.replace(year[0], other, 1) + text[date.end :]


def _name(text: str, chance: random.Random) -> str | None:
    found = [name for name in names(text) if len(name) > 2 and not re.search(r"\d", name)]
    if not found:
        return None
    name = chance.choice(found)
    invented = chance.choice(("Valdoria", "Quennell", "Braxholm", "Ostermund"))
    return re.sub(rf"\b{re.escape(name)}\b", invented, text, flags=re.IGNORECASE)


def _quotation(text: str, chance: random.Random) -> str | None:
    for quotation in quotations(text):
        inside = re.findall(r"\w+", quotation)
        if inside:
            word = chance.choice(inside)
            return text.replace(quotation, re.sub(rf"\b{re.escape(word)}\b", "zanzibar", quotation, count=1), 1)
    return None


_AUXILIARY = re.compile(r"\b(is|are|was|were|has|have|had|can|could|will|would|may|must|should|does|do|did)\b(?! not)")


def _negation(text: str, chance: random.Random) -> str | None:
    match = _AUXILIARY.search(text)
    return f"{text[: match.end()]} not{text[match.end() :]}" if match else None


def _no_negation(text: str, chance: random.Random) -> str | None:
    if negations(text) != 1:
        return None
    changed = re.sub(r"\b(?:not|never) ", "", text, count=1)
    return changed if changed != text else None


ALTERATIONS: dict[str, Callable[[str, random.Random], str | None]] = {
    "alter a digit": _figure(_other_digit),
    "alter a magnitude": _figure(_tenfold),
    "alter a scale": _scale,
    "alter a sign": _sign,
    "alter a unit": _unit,
    "percent and points": _points,
    "alter a date": _date,
    "alter a name": _name,
    "alter a quotation": _quotation,
    "add a negation": _negation,
    "take a negation away": _no_negation,
}


def _with_text(markdown: str, sentence: CitedSentence, text: str) -> str | None:
    line = f"{escape(sentence.text)} ["
    return markdown.replace(line, f"{escape(text)} [", 1) if line in markdown else None


def _with_sentences(sidecar: Sidecar, changed: Mapping[str, CitedSentence]) -> Sidecar:
    sentences = tuple(changed.get(each.text, each) if each.spans else each for each in sidecar.sentences)
    return sidecar.model_copy(update={"sentences": sentences})


def _of_spans(
    markdown: str, sidecar: Sidecar, snapshots: Mapping[str, str], sentence: CitedSentence, chance: random.Random
) -> Iterator[Mutation]:
    span = chance.choice(sentence.spans)
    text = snapshots[span.snapshot_sha256]
    by = next((step for step in (1, 2, 3) if text[span.start : span.start + step + 1].isalnum()), None)
    if by is None or span.end + by > len(text):
        return
    moved = span.model_copy(update={"start": span.start + by, "end": span.end + by})
    yield _moved("shift a span", markdown, sidecar, snapshots, sentence, span, moved, forged=False)
    quoted = moved.model_copy(update={"quote": text[moved.start : moved.end]})
    yield _moved("shift a span", markdown, sidecar, snapshots, sentence, span, quoted, forged=True)


def _moved(
    kind: str,
    markdown: str,
    sidecar: Sidecar,
    snapshots: Mapping[str, str],
    sentence: CitedSentence,
    span: CitedSpan,
    moved: CitedSpan,
    *,
    forged: bool,
) -> Mutation:
    spans = tuple(moved if each == span else each for each in sentence.spans)
    changed = _with_sentences(sidecar, {sentence.text: sentence.model_copy(update={"spans": spans})})
    if not forged:
        return Mutation(kind, False, sentence.text, markdown, changed, snapshots)
    sources = tuple(_relisted(each, span, moved) for each in sidecar.sources)
    old = next(each for each in sidecar.sources if each.n == span.n)
    new = next(each for each in sources if each.n == span.n)
    listed = markdown.replace(f"characters {_listed(old)}.", f"characters {_listed(new)}.")
    return Mutation(kind, True, sentence.text, listed, changed.model_copy(update={"sources": sources}), snapshots)


def _relisted(source: CitedSource, span: CitedSpan, moved: CitedSpan) -> CitedSource:
    if source.n != span.n:
        return source
    spans = sorted({*source.spans, (moved.start, moved.end)})
    return source.model_copy(update={"spans": tuple(spans)})


def _listed(source: CitedSource) -> str:
    return ", ".join(f"{start}–{end}" for start, end in source.spans)


def _swaps(markdown: str, sidecar: Sidecar, snapshots: Mapping[str, str], chance: random.Random) -> Iterator[Mutation]:
    cited = [sentence for sentence in sidecar.sentences if sentence.spans]
    for sentence in cited:
        own = {span.n for span in sentence.spans}
        others = [other for other in cited if not own & {span.n for span in other.spans}]
        if not others:
            continue
        other = chance.choice(others)
        if also_shows(sentence.text, other.spans) and also_shows(other.text, sentence.spans):
            continue
        ours, theirs = _marks(sentence), _marks(other)
        changed = markdown.replace(f"{escape(sentence.text)} {ours}", f"{escape(sentence.text)} \x00", 1)
        changed = changed.replace(f"{escape(other.text)} {theirs}", f"{escape(other.text)} {ours}", 1)
        changed = changed.replace("\x00", theirs)
        yield Mutation("swap citations", False, sentence.text, changed, sidecar, snapshots)
        swapped = {
            sentence.text: sentence.model_copy(update={"spans": other.spans}),
            other.text: other.model_copy(update={"spans": sentence.spans}),
        }
        yield Mutation("swap citations", True, sentence.text, changed, _with_sentences(sidecar, swapped), snapshots)


def _marks(sentence: CitedSentence) -> str:
    return "".join(f"[{number}]" for number in dict.fromkeys(span.n for span in sentence.spans))
