"""Choosing: of what several statements give for a cell, one value, and what contradicts it. Pure.

Values that agree back each other. Of those that do not, the one that is not superseded, then the newest, then the one
with most independent sources, then the most plainly said is taken; the others stay in the cell as its conflict.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from activities.research.claims import claim_id
from activities.research.fields_columns import Asked
from activities.research.fields_values import Candidate
from activities.research.quantities import dates
from activities.research.text import normalise
from schema.contracts.research import Claim
from schema.contracts.tables import Cell, CellSource, CellValue, ColumnType
from schema.policies import CELL_CONFLICTS_MAX, CELL_SOURCES_MAX, CELL_VALUES_MAX

SAME_WITHIN = 0.01
"""Two numbers are the same value up to what a conversion of units or the word `about` rounds away."""
RIVAL_SHARE = 0.6
"""A value that is said less plainly than this share of the best one is a misreading rather than a contradiction."""
NEWER_BY_DAYS = 180
"""Sources this far apart are of different age; below it, age decides nothing."""


@dataclass(frozen=True)
class _Group:
    """Candidates that give the same value, the most plainly said first."""

    found: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate:
        return self.found[0]

    @property
    def score(self) -> float:
        return self.best.score

    @property
    def sources(self) -> int:
        texts = {normalise(each.statement.quote).casefold(): each.statement.source.uri for each in self.found}
        return len(set(texts.values()))

    @property
    def superseded(self) -> bool:
        return all(each.superseded for each in self.found)

    @property
    def moment(self) -> datetime | None:
        """When the value was last said to hold: by the statement itself, else by its source."""
        found = [moment for each in self.found if (moment := _moment(each)) is not None]
        return max(found, default=None)

    @property
    def trust(self) -> float:
        return max(each.statement.source.score.trust for each in self.found)


def _moment(candidate: Candidate) -> datetime | None:
    if candidate.as_of:
        for date in dates(candidate.as_of):
            year, month, day = (int(part) for part in f"{date.iso}-07-01".split("-")[:3])
            try:
                return datetime(year, month, day, tzinfo=UTC)
            except ValueError:
                return datetime(year, 7, 1, tzinfo=UTC)
    return candidate.statement.source.published_at


def choose(asked: Asked, found: Sequence[Candidate], agent_number: int) -> tuple[Cell, tuple[Claim, ...]] | None:
    """Return the cell and the claims that it names, or None where nothing gives a value."""
    groups = _grouped(asked, found)
    if not groups:
        return None
    best_score = max(group.score for group in groups)
    rivals = [group for group in groups if group.score >= RIVAL_SHARE * best_score]
    chosen, reason = rivals[0], None
    for other in rivals[1:]:
        chosen, reason = _preferred(chosen, other)
    others = [group for group in rivals if group is not chosen]
    others.sort(key=lambda group: (-group.score, str(group.best.value)))
    claims: dict[str, Claim] = {}
    evidence = _evidence(chosen, agent_number, claims)
    conflict = tuple(
        CellValue(
            value=group.best.value,
            raw=group.best.raw,
            unit=group.best.unit,
            evidence=_evidence(group, agent_number, claims),
        )
        for group in others[:CELL_CONFLICTS_MAX]
    )
    cell = Cell(
        column=asked.column.name,
        value=chosen.best.value,
        raw=chosen.best.raw,
        unit=chosen.best.unit,
        evidence=evidence,
        confidence=round(min(1.0, chosen.score + 0.05 * (chosen.sources - 1)) * (0.6 if others else 1.0), 3),
        reason=f"sources disagree; {reason}" if others else None,
        conflict=conflict,
    )
    return cell, tuple(claims.values())


def choose_many(asked: Asked, found: Sequence[Candidate], agent_number: int) -> tuple[Cell, tuple[Claim, ...]] | None:
    """Return a cell whose value is the list of all values that are given: they do not exclude each other."""
    groups = _grouped(asked, found)
    groups = [group for group in groups if not group.superseded][:CELL_VALUES_MAX]
    groups.sort(key=lambda group: (group.best.statement.source.uri, group.best.statement.start, group.best.raw))
    claims: dict[str, Claim] = {}
    if not groups:
        return None
    # One span per value, in the order of the values: what stands in one line belongs together (see `output.py`).
    evidence = tuple(each for group in groups for each in _evidence(group, agent_number, claims)[:1])
    cell = Cell(
        column=asked.column.name,
        value=[group.best.value for group in groups],
        raw="; ".join(group.best.raw for group in groups),
        evidence=evidence,
        confidence=round(min(group.score for group in groups), 3),
    )
    return cell, tuple(claims.values())


def _grouped(asked: Asked, found: Sequence[Candidate]) -> list[_Group]:
    order = sorted(
        found,
        key=lambda each: (
            -round(each.score, 6),
            -round(each.statement.source.score.combined, 6),
            each.statement.source.uri,
            each.statement.start,
            str(each.value),
        ),
    )
    groups: list[list[Candidate]] = []
    for candidate in order:
        group = next((group for group in groups if same(asked, group[0], candidate)), None)
        if group is None:
            groups.append([candidate])
        else:
            group.append(candidate)
    return [_Group(tuple(sorted(group, key=lambda each: -_precision(each)))) for group in groups]


def _precision(candidate: Candidate) -> float:
    """Order values that agree: the more precise date first, else the more plainly said."""
    told = candidate.value if isinstance(candidate.value, str) else ""
    exact = len(told) if re.match(r"\d{4}", told) else told.count(",") + told.count("(")
    return exact + candidate.score


def same(asked: Asked, left: Candidate, right: Candidate) -> bool:
    """Tell whether two values agree."""
    ours, theirs = left.value, right.value
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return bool(ours is theirs)
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        if asked.is_year:
            return bool(ours == theirs)
        exact = left.unit == right.unit and not (_is_rough(left) or _is_rough(right))
        gap = abs(ours - theirs)
        return gap <= (1e-9 if exact and not _rounds(left, right) else SAME_WITHIN) * max(abs(ours), abs(theirs))
    if asked.column.type is ColumnType.DATE:
        return str(ours).startswith(str(theirs)) or str(theirs).startswith(str(ours))
    left_words, right_words = _folded(ours), _folded(theirs)
    # Zurich and Zurich, Switzerland are one place; the longer one is shown.
    return left_words == right_words or _is_wider(str(ours), str(theirs)) or _is_wider(str(theirs), str(ours))


def _is_wider(short: str, long: str) -> bool:
    return long.casefold().startswith(f"{short.casefold()}, ") or long.casefold().startswith(f"{short.casefold()} (")


def _is_rough(candidate: Candidate) -> bool:
    quote, raw = normalise(candidate.statement.quote), normalise(candidate.raw)
    before = quote[: max(0, quote.find(raw))]
    return bool(
        re.search(r"(?:about|around|approximately|roughly|nearly|almost|some|ca\.?|circa|~|≈|over)\s*$", before, re.I)
    )


def _rounds(left: Candidate, right: Candidate) -> bool:
    """Tell whether one of two numbers is written with fewer digits (1.2 million, 1,204,000), or in another unit."""
    return _digits(left.raw) != _digits(right.raw) and ("." in left.raw) != ("." in right.raw)


def _digits(raw: str) -> int:
    return len(re.sub(r"\D", "", raw))


def _folded(value: Any) -> str:
    folded = " ".join(re.findall(r"\w+", str(value).casefold()))
    return re.sub(r"^(?:the|a|an) ", "", folded)


def _preferred(left: _Group, right: _Group) -> tuple[_Group, str]:
    """Return which of two contradicting values stands, and why."""
    if left.superseded != right.superseded:
        return (
            (right, "the other one is said to have held before")
            if left.superseded
            else (
                left,
                "the other one is said to have held before",
            )
        )
    ours, theirs = left.moment, right.moment
    if ours is not None and theirs is not None and abs((ours - theirs).days) >= NEWER_BY_DAYS:
        return (left if ours > theirs else right), "this one is from the newer source"
    if left.sources != right.sources:
        return (left if left.sources > right.sources else right), "more sources say this"
    if abs(left.score - right.score) > 0.1:
        return (left if left.score > right.score else right), "this is said more plainly"
    if abs(left.trust - right.trust) > 0.05:
        return (left if left.trust > right.trust else right), "this source is trusted more"
    return left, "nothing decides between them; the first one is shown"


def _evidence(group: _Group, agent_number: int, claims: dict[str, Claim]) -> tuple[CellSource, ...]:
    found: dict[str, CellSource] = {}
    for candidate in group.found:
        statement = candidate.statement
        if (
            normalise(group.best.raw).casefold() not in normalise(statement.quote).casefold()
            and candidate is not group.best
        ):
            continue  # It agrees in other words, which would not show the value as it is written here.
        if statement.source.snapshot_sha256 in found or len(found) >= CELL_SOURCES_MAX:
            continue
        text = normalise(statement.quote)
        identifier = claim_id(statement.source.snapshot_sha256, statement.start, statement.end, text)
        claims.setdefault(
            identifier,
            Claim(
                id=identifier,
                agent_number=agent_number,
                text=text,
                source=statement.source,
                start=statement.start,
                end=statement.end,
                quote=statement.quote,
                relevance=round(min(1.0, candidate.score), 4),
            ),
        )
        found[statement.source.snapshot_sha256] = CellSource(
            claim_id=identifier,
            snapshot_sha256=statement.source.snapshot_sha256,
            uri=statement.source.uri,
            title=statement.source.title,
            start=statement.start,
            end=statement.end,
            quote=statement.quote,
        )
    return tuple(found.values())
