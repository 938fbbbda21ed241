"""The citation gate: nothing unsupported gets in, and the verifier catches every alteration."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from activities.documents.builder import TextBuilder
from activities.research.citations import Problem, RenderedReport, Sidecar, check_citations, render_report
from activities.research.markdown import autolink, escape, unescape
from activities.research.phrases import is_connective, say
from activities.research.support import check_support
from schema.contracts.research import Brief, Claim, Report, Section, Sentence
from tests.support.making import claim_of

BRIEF = Brief(task="Which engine?")
ENGINE = "The Zephyr-9 engine produces 420 kW at sea level. It was introduced in May 2021 by Rolls."
BRIDGE = "The bridge in Basel is not open to cars. It is 120 m long and made of “weathering steel”."
CLAIMS = [
    claim_of(ENGINE, "The Zephyr-9 engine produces 420 kW at sea level.", title="Engine"),
    claim_of(BRIDGE, "The bridge in Basel is not open to cars.", title="Bridge"),
    claim_of(BRIDGE, "It is 120 m long and made of “weathering steel”.", title="Bridge"),
]
SNAPSHOTS = {claim.source.snapshot_sha256: text for claim, text in zip(CLAIMS, (ENGINE, BRIDGE, BRIDGE), strict=True)}


def render(*sentences: Sentence, claims: list[Claim] = CLAIMS, snapshots: dict[str, str] = SNAPSHOTS) -> RenderedReport:
    report = Report(
        title="Engines & bridges",
        sections=(
            Section(title="Executive summary", paragraphs=(sentences[:1], (Sentence(text=say("extracted")),))),
            Section(title="Key findings", paragraphs=tuple((sentence,) for sentence in sentences[1:])),
            Section(title="Analysis"),
            Section(title="Recommendations", paragraphs=((Sentence(text=say("no_recommendation")),),)),
        ),
        disclosures=(Sentence(text="Agent 3 failed: its sources could not be read."),),
    )
    return render_report(report, {claim.id: claim for claim in claims}, snapshots.__getitem__, brief=BRIEF)


def say_all() -> RenderedReport:
    return render(*(Sentence(text=claim.text, claim_ids=(claim.id,)) for claim in CLAIMS))


def problems(
    rendered: RenderedReport, markdown: str | None = None, sidecar: Sidecar | None = None, **snapshots: str
) -> list[Problem]:
    texts = snapshots or SNAPSHOTS
    return check_citations(markdown or rendered.markdown, sidecar or rendered.sidecar, texts.__getitem__)


def test_a_report_has_five_parts_and_passes_its_own_check() -> None:
    rendered = say_all()
    titles = re.findall(r"^## (.*)$", rendered.markdown, re.MULTILINE)
    assert titles == ["Executive summary", "Key findings", "Analysis", "Recommendations", "Citations"]
    assert problems(rendered) == []
    assert rendered.quality.supported == 3
    assert rendered.quality.sources_cited == 2
    assert "Agent 3 failed" in rendered.markdown
    assert [source.n for source in rendered.citations] == [1, 2]
    assert f"characters {CLAIMS[1].start}–{CLAIMS[1].end}, {CLAIMS[2].start}–{CLAIMS[2].end}." in rendered.markdown


def test_one_number_per_source_by_first_appearance() -> None:
    rendered = say_all()
    cited = [(sentence.text, [span.n for span in sentence.spans]) for sentence in rendered.sidecar.sentences]
    assert [numbers for _, numbers in cited if numbers] == [[1], [2], [2]]


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("The Zephyr-9 engine produces 480 kW at sea level.", 0),
        ("The Zephyr-8 engine produces 420 kW at sea level.", 0),
        ("The Zephyr-9 engine produces 420 hp at sea level.", 0),
        ("The Zephyr-9 engine produces 420 kW at sea level since 2019.", 0),
        ("The Zephyr-9 engine of Boeing produces 420 kW at sea level.", 0),
        ("The bridge in Basel is open to cars.", 1),
        ("The engine never produces 420 kW at sea level.", 0),
        ("It is 120 m long and made of “stainless steel”.", 2),
        ("Tourists love the old town and its museums.", 1),
    ],
)
def test_an_unsupported_sentence_falls_back_to_its_quotation(text: str, claim: int) -> None:
    rendered = render(Sentence(text=text, claim_ids=(CLAIMS[claim].id,)))
    assert escape(text) not in rendered.markdown
    assert escape(CLAIMS[claim].text) in rendered.markdown
    assert rendered.quality.repaired == 1
    assert problems(rendered) == []


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("At sea level, the engine Zephyr-9 produces 420 kW.", 0),
        ("Cars may not use the bridge in Basel: it is not open to them.", 1),
        ("The bridge is 120 m long.", 2),
    ],
)
def test_a_fair_paraphrase_passes(text: str, claim: int) -> None:
    evidence = " ".join((CLAIMS[claim].text, "bridge" if claim == 2 else ""))
    assert check_support(text, [evidence]).ok


def test_a_name_behind_a_colon_must_be_shown() -> None:
    assert check_support("Branan 50: List price: CHF 4,850", ["The list price of the Branan 50 is CHF 4,850."]).ok
    assert not check_support("Branan 50: Price: Braxholm 4,850", ["The list price of the Branan 50 is CHF 4,850."]).ok


def test_what_cannot_be_shown_is_dropped() -> None:
    gone = CLAIMS[0].model_copy(update={"quote": "The Zephyr-9 engine produces 999 kW at sea level."})
    rendered = render(
        Sentence(text="Everyone knows that bridges are good."),
        Sentence(text=gone.text, claim_ids=(gone.id,)),
        Sentence(text="Unknown.", claim_ids=("clm_nothing",)),
        claims=[gone],
    )
    assert rendered.quality.dropped == 3
    assert rendered.quality.supported == 0
    assert "bridges are good" not in rendered.markdown
    assert problems(rendered) == []


def test_a_snapshot_that_is_gone_takes_its_sentences_with_it() -> None:
    rendered = render(*(Sentence(text=claim.text, claim_ids=(claim.id,)) for claim in CLAIMS), snapshots={})
    assert rendered.quality.supported == 0
    assert rendered.sidecar.sources == ()


def test_a_citation_that_adds_nothing_is_left_out() -> None:
    rendered = render(Sentence(text=CLAIMS[0].text, claim_ids=(CLAIMS[0].id, CLAIMS[1].id)))
    assert [span.claim_id for span in rendered.sidecar.sentences[0].spans] == [CLAIMS[0].id]


def _swap(text: str) -> str:
    return text.replace("[1]", "[0]").replace("[2]", "[1]").replace("[0]", "[2]")


MUTATIONS: dict[str, Callable[[str], str]] = {
    "swap citations": _swap,
    "alter a figure": lambda text: text.replace("420 kW", "430 kW"),
    "alter a unit": lambda text: text.replace("420 kW", "420 hp"),
    "negate": lambda text: text.replace("engine produces", "engine never produces"),
    "take a negation away": lambda text: text.replace("is not open", "is open"),
    "alter a name": lambda text: text.replace("Basel", "Bern"),
    "alter a quotation": lambda text: text.replace("weathering", "stainless"),
    "take a citation away": lambda text: text.replace(" [1]\n", "\n", 1),
    "cite a source that is not listed": lambda text: text.replace(" [1]\n", " [1][7]\n", 1),
    "add a statement": lambda text: text.replace("## Analysis", "- Bridges are wonderful.\n\n## Analysis"),
    "add a cited statement": lambda text: text.replace("## Analysis", "- Bridges are wonderful. [1]\n\n## Analysis"),
    "delete a sentence": lambda text: re.sub(r"^- The bridge.*\n", "", text, flags=re.MULTILINE),
    "delete an entry": lambda text: re.sub(r"^\[2\] .*\n", "", text, flags=re.MULTILINE),
    "alter an entry's span": lambda text: re.sub(r"characters (\d+)–", r"characters 1\1–", text, count=1),
    "alter an entry's snapshot": lambda text: re.sub(r"Snapshot `.", "Snapshot `x", text, count=1),
    "exchange the list": lambda text: text.split("## Citations")[0] + "## Citations\n\nTrust me.\n",
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_every_mutation_of_the_text_is_caught(mutation: str) -> None:
    rendered = say_all()
    mutated = MUTATIONS[mutation](rendered.markdown)
    assert mutated != rendered.markdown
    assert problems(rendered, markdown=mutated)


@pytest.mark.parametrize(
    "mutation", ["swap citations", "alter a figure", "alter a unit", "negate", "take a negation away", "alter a name"]
)
def test_a_forged_sidecar_does_not_help(mutation: str) -> None:
    """Altering text and sidecar alike still fails: what counts is the snapshot."""
    rendered = say_all()
    change = MUTATIONS[mutation]
    if mutation == "swap citations":
        first, second = rendered.sidecar.sentences[0], rendered.sidecar.sentences[2]
        forged = [
            sentence.model_copy(update={"spans": {first.text: second.spans, second.text: first.spans}[sentence.text]})
            if sentence.text in (first.text, second.text)
            else sentence
            for sentence in rendered.sidecar.sentences
        ]
        markdown = rendered.markdown.replace(f"{escape(first.text)} [1]", f"{escape(first.text)} [2]")
        markdown = markdown.replace(f"{escape(second.text)} [2]", f"{escape(second.text)} [1]")
    else:
        forged = [
            sentence.model_copy(update={"text": change(sentence.text)}) for sentence in rendered.sidecar.sentences
        ]
        markdown = change(rendered.markdown)
    sidecar = rendered.sidecar.model_copy(update={"sentences": tuple(forged)})
    found = problems(rendered, markdown=markdown, sidecar=sidecar)
    assert any(problem.code == "support" for problem in found)


@pytest.mark.parametrize("alteration", ["", "The Zephyr-9 engine produces 999 kW at sea level. It was introduced."])
def test_a_deleted_or_altered_source_is_caught(alteration: str) -> None:
    rendered = say_all()
    texts = {**SNAPSHOTS, CLAIMS[0].source.snapshot_sha256: alteration}
    if not alteration:
        del texts[CLAIMS[0].source.snapshot_sha256]
    assert {"snapshot"} <= {problem.code for problem in problems(rendered, **texts)}


@pytest.mark.parametrize("shift", [-3, 5])
def test_a_moved_span_is_caught(shift: int) -> None:
    rendered = say_all()
    first = rendered.sidecar.sentences[0]
    moved = first.spans[0].model_copy(update={"start": first.spans[0].start + shift})
    sentences = (first.model_copy(update={"spans": (moved,)}), *rendered.sidecar.sentences[1:])
    forged = rendered.sidecar.model_copy(update={"sentences": sentences})
    assert {"quote", "entry"} <= {problem.code for problem in problems(rendered, sidecar=forged)}


HOSTILE = [
    "See [the site](https://evil.example/x) now.",
    "![x](https://evil.example/pixel.png) is seen here.",
    "<script>alert(1)</script> & <b>bold</b>",
    "As shown in [1] and [2][3], it is so.",
    "# Heading",
    "1. item",
    "- item",
    "+ item",
    "> quote",
    "===",
    "| a | b |",
    "https://evil.example/ and www.evil.example and a@evil.example",
    "`code` and ``` fence",
    "*emph* _emph_ **strong** ~~gone~~ $x^2$",
    "[ref]: https://evil.example",
    "\\[1\\] \\<b\\>",
    "&lt;b&gt; &amp;",
    "[^1] and [x] done",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_stays_text(text: str) -> None:
    shown = escape(text)
    assert unescape(shown) == text
    parser = MarkdownIt("commonmark", {"linkify": False, "html": True}).enable(["table", "strikethrough"])
    (opening, inline, closing) = parser.parse(shown)
    assert (opening.type, closing.type) == ("paragraph_open", "paragraph_close")
    children = inline.children or []
    assert {child.type for child in children} <= {"text", "text_special"}
    assert "".join(child.content for child in children) == text
    assert not re.search(r"(?<!\\)\[\d+\](?!\()", shown), "cannot pose as a citation"


@given(st.text(max_size=120))
def test_escaping_is_undone_exactly(text: str) -> None:
    once = " ".join(text.split())
    assert unescape(escape(text)) == once


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://example.org/a?b=c&d", "<https://example.org/a?b=c&d>"),
        ("https://example.org/a b>", "<https://example.org/a%20b%3E>"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("document:doc_1", "document:doc\\_1"),
    ],
)
def test_only_web_addresses_become_links(uri: str, shown: str) -> None:
    assert autolink(uri) == shown


def test_a_source_cannot_pose_as_a_citation() -> None:
    text = "The Zephyr-9 is loved, see [1] and <img src=x onerror=alert(1)> for a proof of it."
    claim = claim_of(text, title="[2] Fake](javascript:x) <b>")
    rendered = render_report(
        Report(
            title="<script>",
            sections=(Section(title="Executive summary", paragraphs=((Sentence(text=text, claim_ids=(claim.id,)),),)),),
        ),
        {claim.id: claim},
        {claim.source.snapshot_sha256: text}.__getitem__,
        brief=BRIEF,
    )
    assert check_citations(rendered.markdown, rendered.sidecar, {claim.source.snapshot_sha256: text}.__getitem__) == []
    html = MarkdownIt("commonmark", {"html": True}).render(rendered.markdown)
    assert "<script" not in html
    assert "<img" not in html
    assert "<b>" not in html
    assert "<a " not in html


def test_phrases_are_the_only_sentences_without_citation() -> None:
    assert is_connective(say("no_evidence", subtask="anything [1] at all"))
    assert not is_connective("The moon is made of cheese.")
    assert not is_connective("")


def test_a_citation_of_a_recording_says_when() -> None:
    """The time stands in the list of sources and in the sidecar, and the report passes its own check."""
    builder = TextBuilder()
    for seconds, sentence in ((12, "Welcome to the meeting."), (200.4, "The bridge in Basel is not open to cars.")):
        builder.at(seconds)
        builder.prose(sentence)
    text = builder.text()
    claim = claim_of(text, "The bridge in Basel is not open to cars.", title="Meeting")
    sha256 = claim.source.snapshot_sha256
    rendered = render(Sentence(text=claim.text, claim_ids=(claim.id,)), claims=[claim], snapshots={sha256: text})
    assert rendered.citations[0].seconds == (200.4,)
    assert ", at 3:20). " in rendered.markdown
    assert problems(rendered, **{sha256: text}) == []
    assert say_all().citations[0].seconds == ()
