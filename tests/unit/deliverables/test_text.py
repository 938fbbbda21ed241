"""Foreign text made fit for files."""

import pytest

from activities.deliverables.blocks import words
from activities.deliverables.colours import contrast, legible, on
from activities.deliverables.text import clean, direction, language, shortened, web_address


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\x00b\x0bc\x1b\x7f\x9f\ufffe\ud800d", "abcd"),
        (" two\r\n\tlines\u2028and\u2029more ", "two lines and more"),
        ("\u202eoverride", "\u202eoverride\u202c"),
        ("\u2067a\u202ab", "\u2067a\u202ab\u202c\u2069"),
        ("closed\u202c\u2069 too often", "closed\u202c\u2069 too often"),
        ("\u202aclosed\u202c\u202c twice", "\u202aclosed\u202c twice"),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_directions_and_languages() -> None:
    assert direction("12. שלום abc") == "rtl"
    assert direction("abc שלום") == "ltr"
    assert direction("— 12 %") == "ltr"
    assert language("今年の乗客") == "ja"
    assert language("今年乘客") == "zh"
    assert language("Привет, world") == "ru"
    assert language("Largely English, with 北京 in it") is None
    assert language("12 %") is None


@pytest.mark.parametrize(
    "uri",
    ["javascript:alert(1)", "data:text/html,x", "file:///etc", "document:d", "//host/x", "http://", "http://[x", ""],
)
def test_no_link_is_made_of(uri: str) -> None:
    assert web_address(uri) is None


def test_links_hold_nothing_that_ends_them() -> None:
    assert web_address("https://a.example/<b>\"'`{x}\x00") == "https://a.example/%3Cb%3E%22'%60%7Bx%7D"
    assert web_address("HTTP://A.example/ä") == "HTTP://A.example/%C3%A4"


def test_what_no_line_break_may_part_from_its_citation() -> None:
    assert (words("two words.").head, words("two words.").tail) == ("two ", "words.")
    assert words("新线路每天运送名乘客。").tail == "客。"
    assert words("x" * 80).tail == "xx"
    assert words("").tail == ""


def test_shortened_at_a_word() -> None:
    assert shortened("one two three four", 14) == "one two three…"
    assert shortened("x" * 50, 10) == "x" * 9 + "…"
    assert shortened("\u202e" + "a b " * 10, 12).endswith("\u202c…")


@pytest.mark.parametrize("colour", ["#ffff99", "#ffffff", "#1f4e79", "#00ff00", "#888888"])
def test_colours_can_be_read(colour: str) -> None:
    assert contrast(legible(colour), "#ffffff") >= 4.5
    assert contrast(legible(colour, "#101010"), "#101010") >= 4.5
    assert contrast(on(colour), colour) >= 4.5


def test_a_legible_colour_is_kept() -> None:
    assert legible("#1f4e79") == "#1f4e79"
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
