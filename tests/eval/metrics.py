"""Measures and floors. Pure.

The check of citations here shares no code with the product's gate: it knows only the report's sidecar and the texts
of the documents, which it extracts from the files anew.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Measure:
    """One figure of a table, and what it must reach."""

    name: str
    value: float | None
    """None: nothing to measure."""
    floor: float | None = None
    """At least this."""
    ceiling: float | None = None
    """At most this."""
    of: str = ""
    """What was counted, for the reader: `212 of 240`."""

    @property
    def ok(self) -> bool:
        """Tell whether it is within its bounds; what could not be measured misses its bound."""
        if self.value is None:
            return self.floor is None and self.ceiling is None
        over = self.floor is None or self.value >= self.floor - 1e-9
        return over and (self.ceiling is None or self.value <= self.ceiling + 1e-9)

    def row(self) -> tuple[str, ...]:
        """Return it as a row of a table."""
        bound = (
            f"≥ {self.floor:g}" if self.floor is not None else f"≤ {self.ceiling:g}" if self.ceiling is not None else ""
        )
        shown = (
            "-"
            if self.value is None
            else f"{self.value:.0f}"
            if float(self.value).is_integer() and self.value > 1
            else f"{self.value:.3f}"
        )
        return (self.name, shown, self.of, bound, "" if self.ok else "MISSED")


def share(name: str, hits: int, total: int, *, floor: float | None = None, ceiling: float | None = None) -> Measure:
    """Return a part of a whole as a measure."""
    return Measure(name, hits / total if total else None, floor, ceiling, f"{hits} of {total}")


@dataclass
class Table:
    """One table of the evaluation."""

    title: str
    measures: list[Measure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Tell whether no floor is missed."""
        return all(measure.ok for measure in self.measures)

    def markdown(self) -> str:
        """Return it as Markdown."""
        rows = [("measure", "value", "counted", "bound", ""), *(measure.row() for measure in self.measures)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = [
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
        ]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join([f"### {self.title}", "", *lines, "", *(f"{note}\n" for note in self.notes)])


def folded(text: str) -> str:
    """Return a text for comparison: one line, lower case, without the marks of inline markup."""
    return " ".join(re.sub(r"[`*_|]+", " ", text).split()).lower()


_NUMBER = re.compile(r"\d+(?:[.,'’]\d+)*")


def numbers(text: str) -> set[str]:
    """Return the numbers of a text as digits, without marks of thousands."""
    return {re.sub(r"(?<=\d)[,'’](?=\d{3}(?!\d))", "", found) for found in _NUMBER.findall(text)}


def holds(text: str, value: str) -> bool:
    """Tell whether a text has a value as whole words (420 kW is not in 1,420 kW)."""
    return re.search(rf"(?<![\w.,]){re.escape(folded(value))}(?!\w)", folded(text)) is not None


@dataclass
class Citations:
    """What was counted over the cited sentences of reports."""

    cited: int = 0
    supported: int = 0
    figures: int = 0
    """Numbers in statements."""
    unsupported_figures: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, sidecar: Mapping[str, Any], texts: Mapping[str, str]) -> None:
        """Check the sentences of one report.

        Args:
            sidecar: `citations.json`.
            texts: the documents' texts by the SHA-256 of their snapshot.
        """
        published = {source["n"]: source["published_at"] or "" for source in sidecar.get("sources", ())}
        for sentence in sidecar["sentences"]:
            if sentence["spans"]:
                newest = max((published.get(span.get("n"), "") for span in sentence["spans"]), default="")[:10]
                self._check(sentence, texts, newest)

    def _check(self, sentence: Mapping[str, Any], texts: Mapping[str, str], published: str) -> None:
        self.cited += 1
        wrong = []
        # The date of its newest source, and no other, may stand before a sentence.
        text_said = sentence["text"].removeprefix(f"As of {published}: ") if published else sentence["text"]
        for span in sentence["spans"]:
            text = texts.get(span["snapshot_sha256"])
            if text is None or text[span["start"] : span["end"]] != span["quote"]:
                wrong.append("the span is not in the document")
        quotes = " ".join(span["quote"] for span in sentence["spans"])
        said = numbers(text_said)
        absent = said - numbers(quotes)
        self.figures += len(said)
        self.unsupported_figures += len(absent)
        if absent:
            wrong.append(f"figures {sorted(absent)} are not in the span")
        if not _worded_by(text_said, quotes):
            wrong.append("the span uses other words")
        if wrong:
            self.problems.append(f"{sentence['text'][:90]!r}: {'; '.join(wrong)}")
        else:
            self.supported += 1

    def measures(self) -> list[Measure]:
        """Return the two figures with the aims of the project."""
        return [
            share("citation precision (cited sentences shown by their spans)", self.supported, self.cited, floor=1.0),
            Measure("unsupported figures", self.unsupported_figures, ceiling=0, of=f"of {self.figures} figures"),
        ]


def _worded_by(sentence: str, quotes: str) -> bool:
    """Tell whether at least four in five of a sentence's words stand in its quotations."""
    ours = re.findall(r"\w+", folded(sentence))
    theirs = set(re.findall(r"\w+", folded(quotes)))
    return not ours or sum(word in theirs for word in ours) >= 0.8 * len(ours)


def f1(found: Iterable[Any], wanted: Iterable[Any]) -> float:
    """Return the harmonic mean of precision and recall of two sets; 1 where both are empty."""
    ours, theirs = set(found), set(wanted)
    if not ours and not theirs:
        return 1.0
    return 2 * len(ours & theirs) / (len(ours) + len(theirs))


def statements(sidecar: Mapping[str, Any], *, outside: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the cited sentences of a report, without those of some sections."""
    return [each for each in sidecar["sentences"] if each["spans"] and each["section"] not in outside]
