"""The measures: what they count, and that they can fail."""

import hashlib

import pytest

from tests.eval.metrics import Citations, Measure, Table, f1, folded, holds, numbers, share

TEXT = "The Zephyr-9 produces 1,420 kW. It weighs 310 kg."
SHA = hashlib.sha256(TEXT.encode()).hexdigest()


def cited(text: str, start: int, end: int, *, quote: str | None = None) -> dict[str, object]:
    span = {"snapshot_sha256": SHA, "start": start, "end": end, "quote": TEXT[start:end] if quote is None else quote}
    return {"sentences": [{"text": text, "section": "Analysis", "spans": [span]}]}


@pytest.mark.parametrize(
    ("sidecar", "supported", "unsupported"),
    [
        (cited("The Zephyr-9 produces 1,420 kW.", 0, 31), 1, 0),
        (cited("The Zephyr-9 produces 1420 kW.", 0, 31), 1, 0),
        (cited("The Zephyr-9 produces 1,520 kW.", 0, 31), 0, 1),
        (cited("The Zephyr-9 produces 1,420 kW.", 1, 31), 1, 0),
        (cited("The Zephyr-9 produces 1,420 kW.", 0, 30, quote=TEXT[0:31]), 0, 0),
        (cited("Nobody likes engines of that kind.", 0, 31), 0, 0),
    ],
)
def test_the_check_of_citations_finds_what_is_wrong(sidecar: dict, supported: int, unsupported: int) -> None:
    counted = Citations()
    counted.add(sidecar, {SHA: TEXT})
    assert (counted.cited, counted.supported, counted.unsupported_figures) == (1, supported, unsupported)
    assert all(measure.ok for measure in counted.measures()) is bool(supported)


@pytest.mark.parametrize(("stated", "supported"), [("2016-05-02", 1), ("2016-05-03", 0)])
def test_only_the_date_of_its_source_may_stand_before_a_sentence(stated: str, supported: int) -> None:
    sidecar = cited(f"As of {stated}: The Zephyr-9 produces 1,420 kW.", 0, 31)
    for sentence in sidecar["sentences"]:
        sentence["spans"][0]["n"] = 1
    sidecar["sources"] = [{"n": 1, "published_at": "2016-05-02T00:00:00+00:00"}]
    counted = Citations()
    counted.add(sidecar, {SHA: TEXT})
    assert counted.supported == supported


def test_a_missing_document_is_no_support() -> None:
    counted = Citations()
    counted.add(cited("The Zephyr-9 produces 1,420 kW.", 0, 31), {})
    assert counted.supported == 0


def test_values_are_found_as_whole_words() -> None:
    assert holds("The engine has 420 kW.", "420 kW")
    assert not holds("The engine has 1,420 kW.", "420 kW")
    assert not holds("The engine has 420 kWh.", "420 kW")
    assert numbers("1,200 and 3.5 and 10'000") == {"1200", "3.5", "10000"}
    assert folded("A  `b`\n| c |") == "a b c"


def test_floors_and_ceilings() -> None:
    assert share("recall", 9, 10, floor=0.9).ok
    assert not share("recall", 8, 10, floor=0.9).ok
    assert not share("recall", 0, 0, floor=0.9).ok, "what was not measured does not pass"
    assert not Measure("stale", 1, ceiling=0).ok
    table = Table("t", [share("recall", 8, 10, floor=0.9), Measure("stale", 0, ceiling=0)])
    assert not table.ok
    assert "MISSED" in table.markdown()
    assert f1({1, 2}, {2, 3}) == 0.5
    assert f1((), ()) == 1.0
