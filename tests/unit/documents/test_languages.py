"""How texts are indexed by their language."""

import pytest

from activities.documents.languages import CONFIGURATIONS, is_latin, search_configuration, searchable
from activities.tools.ranking import occurrences, query_terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("融点は29度 C", "融点 点は 29 度 c"),
        ("gallium melts", "gallium melts"),
        ("鉄", "鉄"),
        ("ガリウム、融点。", "ガリ リウ ウム 融点"),
        ("갈륨은", "갈륨 륨은"),
        ("“Ärzte” — L’été؟", "ärzte l'été"),
        ("الغاليوم؟", "الغاليوم"),
        ("हिन्दी", "हिन्दी"),
        ("", ""),
    ],
)
def test_unspaced_scripts_become_pairs(text: str, expected: str) -> None:
    assert searchable(text).split() == expected.split()


def test_configurations() -> None:
    assert search_configuration("de") == "german"
    assert search_configuration("ar") == "arabic"
    assert search_configuration("ja") == "simple"
    assert search_configuration(None) == "english"
    assert "english" in CONFIGURATIONS.values()


def test_scripts() -> None:
    assert is_latin("Schmelzpunkt 29")
    assert is_latin("29.76")
    assert not is_latin("درجة انصهار")
    assert not is_latin("融点は gallium 何度ですか")


def test_pages_in_japanese_are_ranked_by_the_same_pairs() -> None:
    """What is not in the index (a fetched page) is compared in the same way."""
    asked = [lexeme for lexeme, _ in query_terms("ガリウムの融点")]
    found = occurrences(asked, "ガリウムは柔らかい金属で、融点は29.76度である。", "")
    assert {"ガリ", "ウム", "融点"} <= set(found.in_text)
    assert not occurrences(asked, "東京の人口は増えている。", "").in_text
