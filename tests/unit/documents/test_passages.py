"""Passages are exact, ordered spans that lose nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from activities.documents.builder import Heading, TextBuilder
from activities.documents.passages import PASSAGE_CHARACTERS_MAX, PassageSpan, is_code, split_passages

blocks = st.lists(
    st.tuples(
        st.sampled_from(["prose", "prose", "line", "heading", "code", "page", "long"]),
        st.text(
            st.sampled_from("abc DEF.!?\n\t\"'()é́中。 ’-\u00a0\u2003"),
            max_size=120,
        ),
        st.integers(1, 4),
    ),
    max_size=25,
)


def build(parts: list[tuple[str, str, int]]) -> TextBuilder:
    """Build a document."""
    builder = TextBuilder()
    for kind, text, number in parts:
        if kind == "heading":
            builder.heading(number, text)
        elif kind == "page":
            builder.page()
        elif kind == "long":
            builder.prose(text * 12 * number)
        else:
            getattr(builder, kind)(text)
    return builder


def check(text: str, headings: list[Heading], passages: list[PassageSpan]) -> None:
    """Spans are exact, ordered, apart, bounded, trimmed; with the headings they cover all that is not blank."""
    covered = bytearray(len(text))
    position = 0
    for passage in passages:
        assert position <= passage.start < passage.end <= len(text)
        quoted = text[passage.start : passage.end]
        assert len(quoted) <= PASSAGE_CHARACTERS_MAX
        assert quoted == quoted.rstrip()
        assert quoted == quoted.lstrip() or is_code(quoted)
        covered[passage.start : passage.end] = b"\1" * len(quoted)
        position = passage.end
    for heading in headings:
        covered[heading.start : heading.end] = b"\1" * (heading.end - heading.start)
    assert [
        character for character, seen in zip(text, covered, strict=True) if not seen and not character.isspace()
    ] == []


@settings(max_examples=300)
@given(blocks)
def test_built_documents(parts: list[tuple[str, str, int]]) -> None:
    """Of documents as the readers build them; and every heading is found in the paths or as text."""
    builder = build(parts)
    text = builder.text()
    assert len(text) == builder.length
    passages = split_passages(text, builder.headings, builder.pages, title="T")
    check(text, builder.headings, passages)
    for heading in builder.headings:
        name = text[heading.start : heading.end]
        in_path = any(name in passage.heading for passage in passages)
        as_text = any(passage.start <= heading.start and heading.end <= passage.end for passage in passages)
        assert in_path or as_text
    for passage in passages:
        quoted = text[passage.start : passage.end]
        if is_code(quoted):
            assert all(line.startswith("    ") or not line.strip() for line in quoted.split("\n"))


@settings(max_examples=300)
@given(st.text(max_size=3000))
def test_any_text(text: str) -> None:
    """Of any text at all."""
    check(text, [], split_passages(text))


def test_sections_and_paths() -> None:
    """Headings bound passages and give them their path; a heading without text is text itself."""
    builder = TextBuilder()
    builder.heading(1, "Metals")
    builder.prose("Metals conduct.")
    builder.heading(2, "Gallium")
    builder.prose("Gallium melts.")
    builder.code("print('Ga')")
    builder.heading(2, "Indium")
    builder.heading(1, "Gases")
    builder.prose("Gases expand.")
    text = builder.text()
    found = [
        (text[each.start : each.end], each.heading) for each in split_passages(text, builder.headings, title="Book")
    ]
    assert found == [
        ("Metals conduct.", "Book > Metals"),
        ("Gallium melts.", "Book > Metals > Gallium"),
        ("    print('Ga')", "Book > Metals > Gallium"),
        ("Indium", "Book > Metals"),
        ("Gases expand.", "Book > Gases"),
    ]


def test_long_paragraphs_are_cut_at_sentences() -> None:
    """A sentence is not cut while it fits."""
    sentences = [f"This is sentence number {number} of a long paragraph." for number in range(100)]
    text = " ".join(sentences)
    passages = split_passages(text)
    assert len(passages) > 3
    for passage in passages:
        quoted = text[passage.start : passage.end]
        assert quoted.startswith("This is")
        assert quoted.endswith("paragraph.")


def test_pages_are_named() -> None:
    """A passage of a paged document says on which page it begins."""
    builder = TextBuilder()
    for number in range(3):
        builder.page()
        builder.prose(f"Text of page {number}. " * 60)
    passages = split_passages(builder.text(), (), builder.pages, title="Report")
    assert passages[0].heading == "Report > p. 1"
    assert passages[-1].heading == "Report > p. 3"
