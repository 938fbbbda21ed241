"""A record of which every text wants to be something else than text."""

from typing import Any

from schema.contracts.deliverables import (
    Bullets,
    DataSentence,
    Document,
    Figure,
    Grid,
    Paragraph,
    Part,
    Quotation,
    RecordedSource,
    RunRecord,
    Statement,
)
from tests.support.records import Shape, made_record

WORD = "donaudampfschifffahrt" * 2381
"""50,001 characters without a blank."""
TEXTS = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "</style><style>*{display:none}</style></title>",
    "{{ 7 * 7 }} {% raw %} ${jndi:ldap://x} <%= 1 %>",
    "[click](javascript:alert(3)) ![p](http://evil.example/p.png) [1]: http://evil.example",
    'HYPERLINK "http://evil.example" {SEQ x} DDEAUTO c:\\windows\\system32 "calc" \\* MERGEFORMAT',
    "=cmd|' /C calc'!A0 @SUM(1+1) +1 -1",
    "before\x00\x01\x08\x0b\x1b[31m\x7f\x9f\ufffe\uffffafter",
    "override \u202etxt.exe\u2066 and no end",
    "# heading | pipe || `code` ~~gone~~ <!-- --> --- 1. item > quote \\",
    "&lt;b&gt; &amp;amp; &#x3c; \u2028 line \u2029 paragraph \r\n\n new",
    "emoji 🚢👩🏽\u200d🔬🇨🇭 and 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 e\u0301\u0323\u0302",
    "שלום עולם مرحبا 你好 こんにちは 안녕 Привет Γειά",
    "[[99]] [^1] [1](#source-1) ]]> ]]&gt;",
)
URIS = (
    "javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "file:///etc/passwd",
    "https://ok.example/a b\"'<>",
    "http://[broken", "document:doc_1", "  https://spaced.example/\x00path ", "vbscript:x", "//host/share",
    "HTTP://UPPER.example/",
    "https://例え.example/ü?q=<b>#x", "https://user:pass@evil.example\u202e/moc.knab", "",
)  # fmt: skip


def hostile_record(word: str = WORD) -> RunRecord:
    """Return the record, with a word that has no end."""
    record = made_record(3, Shape(sources=len(URIS), figures=1, events=3))
    said = tuple(Statement(text=text, marks=(1 + at % len(URIS),)) for at, text in enumerate(TEXTS))
    cells = tuple((Statement(text=text), *said[at : at + 2]) for at, text in enumerate(TEXTS[:-1]))
    parts = (
        Part(title="Executive summary", level=2, blocks=(Paragraph(sentences=said),)),
        Part(title=TEXTS[0], level=5, blocks=(Bullets(items=said),)),
        Part(title=TEXTS[2], level=3, blocks=(Grid(heading=(TEXTS[1], TEXTS[8], "n"), rows=cells),)),
        Part(title=TEXTS[7], level=2, blocks=(Paragraph(sentences=(Statement(text=word, marks=(1, 99)),)),)),
        Part(title="", level=2),
    )
    sources = tuple(
        RecordedSource(
            n=number,
            title=TEXTS[at % len(TEXTS)],
            uri=uri,
            kind=TEXTS[0],
            published_at="<b>yesterday</b>",
            snapshot_sha256="0" * 64,
            score=0.5,
            quotations=tuple(Quotation(quote=text, start=0, end=1, claim_id="clm_1") for text in (*TEXTS, word[:900])),
        )
        for number, (at, uri) in enumerate(enumerate(URIS), 1)
    )
    spec: dict[str, Any] = {
        "data": {"values": [{"x": TEXTS[0], "y": 1.5}, "no point"]},
        "encoding": {"x": {"field": "x"}},
    }
    return record.model_copy(
        update={
            "document": Document(title=TEXTS[0] + " " + TEXTS[7], parts=parts),
            "run": record.run.model_copy(update={"task": TEXTS[3], "id": "run_{{ 1 }}"}),
            "sources": sources,
            "figures": (
                Figure(name="../x", kind="bar", title=TEXTS[4], query="`` select `", origin=TEXTS[0], spec=spec),
            ),
            "insights": (DataSentence(sentence=TEXTS[5], query=TEXTS[8], origin=TEXTS[7]),),
            "output": {TEXTS[0]: [TEXTS[1], {"deep": [None, True, 1.5, TEXTS[6]]}], "empty": {}},
            "log": tuple(each.model_copy(update={"message": TEXTS[0]}) for each in record.log),
        }
    )
