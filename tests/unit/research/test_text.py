"""Sentences: whole, prose, and at their exact place."""

import re
from itertools import pairwise
from pydoc_data.topics import topics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.documents.extract import extract
from activities.research.quantities import negations
from activities.research.sentences import sentences
from activities.research.telling import is_navigation, is_statement, leans_on_previous
from activities.research.text import display, normalise, stem, terms, words

PROSE = "A context manager handles entry and exit. It costs 3.5 CHF, e.g. in Zurich. Dr. Frei of the U.S. Army agrees!"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            PROSE,
            [
                "A context manager handles entry and exit.",
                "It costs 3.5 CHF, e.g. in Zurich.",
                "Dr. Frei of the U.S. Army agrees!",
            ],
        ),
        (
            "A sentence that is wrapped\nover two lines stays whole. The\nPython one does too.",
            ["A sentence that is wrapped\nover two lines stays whole.", "The\nPython one does too."],
        ),
        ("Title of it\n===========\n\nThe text is below the title here.", ["The text is below the title here."]),
        ("# Title of it\nThe text is below the title here.", ["The text is below the title here."]),
        (
            "Code is left out:\n\n    x = compute(1)\n    It ends in a comment.\n\nIt is gone now, we hope.",
            ["It is gone now, we hope."],
        ),
        ("```\nThis is in a fence and is no prose.\n```\nThis is after the fence, as prose is.", None),
        ("| a | b |\n|---|---|\n| This is a cell of it. | And this is another one. |", []),
        (
            "An intro that leads to a list:\n\n* The first item is a whole sentence.\n* fragment of an item",
            None,
        ),
        ("This one was cut in the mid", []),
        (">>> print('This is a prompt of an interpreter.')", []),
        (
            "Such a call returns what the server knows about it:\n\n    x = call()",
            ["Such a call returns what the server knows about it:"],
        ),
        ("It does not override variables that exist (override=False).", None),
        ("See https://example.org/ for what it is about there.", []),
        (
            ".. note::\n\n   The note in reStructuredText has a sentence.",
            ["The note in reStructuredText has a sentence."],
        ),
        ("Grundstücke sind in der Schweiz nicht immer teuer.", ["Grundstücke sind in der Schweiz nicht immer teuer."]),
        ("Heading without a stop\n\nIt is followed by the text of a paragraph.", None),
        ("Pelriwick Lines makes Yartalon. See there for more.", ["Pelriwick Lines makes Yartalon."]),
        ("Back to top. Home and more.", []),
        ("(An unbalanced bracket is a sign of a cut sentence.", []),
    ],
)
def test_sentences(text: str, expected: list[str] | None) -> None:
    found = [sentence.text for sentence in sentences(text)]
    if expected is None:
        assert len(found) == 1
    else:
        assert found == expected


def test_a_cut_start_is_left_out() -> None:
    text = "and then it ends as sentences do. The next one is whole and stays."
    assert [sentence.text for sentence in sentences(text, cut_start=True)] == ["The next one is whole and stays."]


@given(st.text(alphabet="aB .!?\n*-#=|`\"'(){}1\t>:é。", max_size=300))
def test_offsets_are_exact(text: str) -> None:
    for sentence in sentences(text):
        assert text[sentence.start : sentence.end] == sentence.text
        assert sentence.text == sentence.text.strip()


@given(st.lists(st.sampled_from([PROSE, "x = 1", "", "* An item is here as a sentence.", "Title", "===="]), max_size=8))
def test_sentences_do_not_overlap(lines: list[str]) -> None:
    found = sentences("\n".join(lines))
    assert all(left.end <= right.start for left, right in pairwise(found))


def test_the_python_reference_yields_prose_only() -> None:
    debris = ("::", ">>>", "|", "{", "](", "==", "  ")
    found = [(topic, each) for topic, text in topics.items() for each in sentences(text)]
    assert len(found) > 1000
    ended = [(topic, each) for topic, each in found if display(each.text)[-1] in ".!?\"'”’):"]
    for topic, sentence in ended:
        # What is quoted is spoken of, not debris.
        shown = re.sub(r'"[^"]*"|‘[^’]*’', '""', display(sentence.text))
        assert not any(mark in shown for mark in debris), (topic, shown)
        assert not shown[0].islower() or " is " in shown or "()" in shown or shown.split()[1].endswith("s"), (
            topic,
            shown,
        )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A *context manager* is ``good``.", "A context manager is good."),
        ("[HTTPX](https://x.org/a_(b)) is a **client**.", "HTTPX is a client."),
        ("Use :class:`~foo.Bar` or `docs <https://x>`_.", "Use foo.Bar or docs."),
        ("![logo](https://x/y.png) It is here.", "It is here."),
        ('The "__exit__()" method of 2 * 3 * 4.', 'The "__exit__()" method of 2 * 3 * 4.'),
        ("line\n  broken", "line broken"),
    ],
)
def test_display(text: str, shown: str) -> None:
    assert display(text) == shown
    assert display(shown) == shown


def test_words_and_terms() -> None:
    assert words("It costs 1,200.50 CHF; Python's 3.12!") == ["it", "costs", "1,200.50", "chf", "python's", "3.12"]
    assert terms("The managers are managing") == (stem("managers"), stem("managing"))
    assert normalise(" a\n b\t") == "a b"


@pytest.mark.parametrize(
    "text",
    [
        # A paragraph that is indented as a whole, wrapped, in a text with longer lines elsewhere.
        "POP3 mailboxes are locked while they are read.\n\n        POP is a line-based protocol, which means that\n"
        "        large messages consume lots of cycles.\n\n" + "word " * 60 + "ends here.\n",
        # Under the head of a function, deeper than it.
        "    read(filenames, encoding=None)\n        Parse the named files. Those that do not exist\n"
        "        are ignored without a word.\n",
        # Prose that speaks of code.
        'For strings, "x in y" is "True" if x is part of y. An equivalent test is "y.find(x) != -1", as said before.',
    ],
)
def test_prose_is_read_however_it_is_set(text: str) -> None:
    found = [" ".join(sentence.text.split()) for sentence in sentences(text)]
    assert any("consume lots" in each or "are ignored" in each or "An equivalent" in each for each in found), found
    for sentence in sentences(text):
        assert text[sentence.start : sentence.end] == sentence.text


@pytest.mark.parametrize(
    "text",
    [
        "    # This is the comment of a piece of code that is not to be read as prose.\n    x = compute(1)\n",
        "    if x == 1 and y == 2 or z != 3:\n        return the_result_of_it(x, y)\n",
        ">>> for each in the_list_of_it: print(each) and that is it.\n",
    ],
)
def test_code_is_not_read(text: str) -> None:
    assert sentences(text) == []


@pytest.mark.parametrize(
    "text",
    [
        '"continue" may only occur in a loop, but not nested in a function or class definition within it.',
        "structlog.BytesLogger and its kin now hold weak references to the files they use for output.",
        "- ignore_unknown_formats: set to False to raise on a format value with no validator.",
        "- socksio - Required by those who install the optional extra of that name.",
        "The packaging library uses calendar-based versioning (YY.N).",
        "It supports Python 3.9+ and PyPy3 7.3.11+.",
    ],
)
def test_what_begins_small_or_has_few_small_words_is_a_statement(text: str) -> None:
    assert [each.text for each in sentences(text)] == [text.removeprefix("- ")]


@pytest.mark.parametrize(
    "text",
    [
        'There is no proof that the\n\n"safe" mode is the one that is used by the plant in winter.',
        "Nobody thinks that\n\nearth: the planet that is the third one of them has two moons.",
        "This was not the fault of\n\namazon.com, which was founded in 1994 by Jeff Bezos.",
        "The old firm did not use\n\nnode.js for the server that was written in 2010.",
        "It was denied that the firm sold\n\nwater from the river to the people of the town in 1990.",
        'msg = "The value is not in the list. The user has to give one of those that are known in it."',
        '    help="The value is not in the list. The user has to give one of those that are known in it."',
        "description: The shop sells what is made in the town and it is open to all.\n"
        "port: The one that is used by the shop is 8000 if it is not set in the file.",
    ],
)
def test_what_may_be_the_rest_of_a_sentence_or_a_setting_is_not_quoted(text: str) -> None:
    assert sentences(text, title="Water supply") == []


@pytest.mark.parametrize(
    "text",
    [
        "    - The port of the shop is 7000 and it can be changed in the file of the shop.\n"
        "    + The port of the shop is 8000 and it can be changed in the file of the shop.\n",
        "    2024-05-01 12:00:01 INFO The connection to the host was closed by the peer, and it is not to be used.\n",
        "    The pump is driven by a motor of the      The valve is closed by hand and it is\n"
        "    firm and it is oiled each day of the      not to be opened while the pump is on.\n",
        "    --port    The port of the shop that is used by the people of the town, if it is set.\n",
        "    ;; The port of the shop that is used by the people of the town is set in this file.\n",
    ],
)
def test_indented_lines_that_are_no_prose_are_not_read(text: str) -> None:
    assert sentences(text) == []


def test_a_sentence_may_begin_with_the_name_in_the_title() -> None:
    text = "tqdm derives from an Arabic word that can mean progress."
    assert [each.text for each in sentences(text, title="tqdm")] == [text]
    assert not sentences("bars derive from an Arabic word that can mean progress.", title="tqdm")


@pytest.mark.parametrize(
    ("text", "leads"),
    [
        ("To skip the compilation you must set the variable YARL_NO_EXTENSIONS to a non-empty value, e.g.:", False),
        ("It is useful as a placeholder when a statement is required by the syntax, for example:", False),
        ("This is done like this:", True),
        ("Use it, for example:", True),
    ],
)
def test_what_says_something_before_it_leads_on(text: str, leads: bool) -> None:
    assert is_navigation(text) is leads


@pytest.mark.parametrize(("text", "leans"), [("It is so.", True), ("However, no.", True), ("Item one is so.", False)])
def test_leaning(text: str, leans: bool) -> None:
    assert leans_on_previous(text) is leans


def test_the_items_of_a_list_are_read_one_by_one() -> None:
    text = """# tinyconf

tinyconf raises an Error if two sections have the same name, wherever they stand and whoever wrote them.

* Keeps the order of sections
* No magic
* Only the first 300 bytes of a file are read to tell its kind
* The parser `fastconf` will be used where it is installed.
* Reading and writing
"""
    read = extract(text.encode(), "tinyconf.md", "text/markdown").text
    assert [each.text for each in sentences(read)] == [
        "tinyconf raises an Error if two sections have the same name, wherever they stand and whoever wrote them.",
        "Only the first 300 bytes of a file are read to tell its kind",
        "The parser fastconf will be used where it is installed.",
    ]


def test_prose_that_was_read_ends_with_a_full_stop() -> None:
    """A wrapped line is no item of a list, though it has a verb."""
    read = [extract(text.encode(), f"{topic}.txt", "text/plain").text for topic, text in topics.items()]
    found = [display(each.text) for text in read for each in sentences(text)]
    assert len([shown for shown in found if shown[-1] not in ".!?\"'”’):"]) <= 3


def test_one_long_line_does_not_break_wrapped_text() -> None:
    wrapped = (
        "A tuple is made of the exception's type, of its value, and of what the\n"
        "traceback of the call holds, as it stands.\n"
    )
    text = f"{wrapped}\n{wrapped}\n{wrapped}\n{'value ' * 24}\n"
    assert sentences(text)[0].text == wrapped.strip()


@pytest.mark.parametrize(
    ("text", "leans"),
    [
        ("It was not until 1948 that Yartasson Optics was founded.", False),
        ("It was Jane Roe who founded Yartasson Optics.", False),
        ("It takes 14 days for the young of the Norroow warbler to hatch.", False),
        ("It was not before 1948 that Yartasson Optics could be opened.", False),
        ("The first cars rolled over the Jorgaau Bridge in 1943.", False),
        ("The first arguments are the names of files.", True),
        ("The first option is faster.", True),
        ("It was noted that the Ardlirok Flyer can take 820 riders per hour.", False),
        ("It is well known that Acme makes pumps.", False),
        ("It was founded in 1948.", True),
        ("It takes some time.", True),
    ],
)
def test_a_cleft_points_to_nothing(text: str, leans: bool) -> None:
    assert leans_on_previous(text) == leans


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("In the nest of the Quilmoern wader you will find 4 eggs.", False),
        ("If you come to visit us, you will find the head office in Haltaford.", False),
        ("The Rasdanor Act has 115 articles and not a single example.", False),
        ("The course ends after twelve steps.", False),
        ("It is called as in these examples:", True),
        ("In this chapter you will find more about loops.", True),
        ("You will find how to install it on the next page.", True),
    ],
)
def test_who_is_told_where_to_read_on_learns_nothing(text: str, points: bool) -> None:
    assert is_navigation(text) == points


def test_not_until_denies_nothing() -> None:
    assert negations("It was not until 1948 that Yartasson Optics was founded.") == 0
    assert negations("Yartasson Optics was not founded in 1948.") == 1


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("Garroling tastes of pineapple.", True),
        ("Corstiaubel Tapestry depicts pomegranates among flowers.", True),
        ("Local centre: Wexriholm.", True),
        ("Prosecuted as burglary.", True),
        ("Pelnaoppin Draw puts 85,000 tickets on sale every time.", True),
        ("Reaching a decision behind closed doors took 350 minutes.", True),
        ("Previous: Docker volumes.", False),
        ("Tags: python, docker, linux.", False),
        ("Error: File not found.", False),
        ("Filed under: Politics, World.", False),
        ("Powered by WordPress.", False),
        ("Sponsored by Acme Corporation.", False),
        ("Docker images tutorial.", False),
        ("Kubernetes pods explained.", False),
        ("Skip links to content.", False),
    ],
)
def test_short_forms_that_tell_something_are_statements(text: str, states: bool) -> None:
    assert is_statement(text) is states
