"""The report as Markdown: read again by a CommonMark parser."""

import hashlib
import re
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from activities.deliverables.look import Look
from activities.deliverables.markdown import to_markdown
from schema.contracts.deliverables import RunRecord, Theme
from tests.support.records import made_record
from tests.unit.deliverables.hostile import TEXTS, WORD, hostile_record
from tests.unit.deliverables.looks import EVERY_SCRIPT, digest_elsewhere, look_of

_RECORD = made_record(11, EVERY_SCRIPT)


@lru_cache
def _tokens(hostile: bool = False) -> tuple[Token, ...]:
    record: RunRecord = hostile_record() if hostile else _RECORD
    written = to_markdown(record, Look(theme=Theme(footer=TEXTS[1])) if hostile else look_of(record)).decode()
    # With HTML allowed: what could become HTML would.
    parsed = (
        MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["table", "strikethrough"]).parse(written)
    )
    return tuple(each for token in parsed for each in (token, *(token.children or ())))


def _shown(hostile: bool = False) -> str:
    return "\n".join(
        "".join(
            " " if child.type == "softbreak" else child.content
            for child in token.children or ()
        )
        for token in _tokens(hostile)
        if token.type == "inline"
    )  # fmt: skip


def test_every_statement_keeps_its_citations() -> None:
    shown = _shown()
    for part in _RECORD.document.parts:
        assert part.title in shown.splitlines()
        for block in part.blocks:
            for said in (*getattr(block, "sentences", ()), *getattr(block, "items", ())):
                assert " ".join([said.text, *(f"[{mark}]" for mark in said.marks)]) in shown
    rows = [line for line in to_markdown(_RECORD, Look()).decode().splitlines() if line.startswith("| ")]
    assert len(rows) == sum(
        2 + 6 for part in _RECORD.document.parts for block in part.blocks if block.kind == "grid"
    ) + (sum(2 + min(30, len(figure.spec["data"]["values"])) for figure in _RECORD.figures))


def test_citations_lead_to_the_headings_of_sources() -> None:
    for hostile in (False, True):
        links = {str(each.attrs["href"]) for each in _tokens(hostile) if each.type == "link_open"}
        headings = {
            "#" + each.content.lower().replace(" ", "-")
            for each in _tokens(hostile)
            if each.content.startswith("Source ")
        }
        assert {each for each in links if each.startswith("#")} <= headings
        assert {each for each in links if not each.startswith("#")} <= {
            each for each in links if re.match("https?://", each, re.IGNORECASE)
        }
    outside = {str(each.attrs["href"]) for each in _tokens() if each.type == "link_open"}
    assert {each.uri for each in _RECORD.sources if each.uri.startswith("https")} <= outside


def test_hostile_text_stays_text() -> None:
    kinds = {each.type for each in _tokens(hostile=True)}
    assert not {"html_inline", "html_block", "image", "s_open", "em_open", "fence"} & kinds
    shown = _shown(hostile=True)
    for text in (TEXTS[0], TEXTS[2], TEXTS[3], TEXTS[4], TEXTS[5], TEXTS[8], WORD):
        assert " ".join(text.split()) in shown
    assert "before[31mafter" in shown
    titles = [
        _tokens(hostile=True)[at + 1].content for at, each in enumerate(_tokens(True)) if each.type == "heading_open"
    ]
    assert len(titles) == 1 + 5 + 5 + len(hostile_record().sources)


def test_numbers_stand_to_the_right() -> None:
    written = to_markdown(_RECORD, Look()).decode()
    assert "| Site | Opened | Output (GWh) | Cost (M EUR) | Operator |\n| --- | ---: | ---: | ---: | --- |" in written


def test_the_same_bytes_in_another_process() -> None:
    written = to_markdown(_RECORD, look_of(_RECORD))
    assert hashlib.sha256(written).hexdigest() == digest_elsewhere("markdown", "to_markdown")
