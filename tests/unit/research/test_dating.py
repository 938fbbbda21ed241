"""What rests on old sources alone is said with their date, and the date is checked."""

from datetime import UTC, datetime

import pytest

from activities.research.citations import RenderedReport, check_citations, render_again, render_report
from activities.research.composing import DISAGREEMENTS
from activities.research.dating import dated, old_since, undated
from activities.research.markdown import escape
from schema.contracts.deliverables import ReportInputs
from schema.contracts.research import Brief, Claim, Report, Section, Sentence
from tests.support.making import claim_of

ASKED_AT = datetime(2026, 11, 29, tzinfo=UTC)
MAYOR = "The mayor of Ardgaford, Elena Keltaard, cut the ribbon."
ALSO = "Elena Keltaard is the mayor of Ardgaford."


def stated_by(text: str, published_at: datetime | None) -> Claim:
    return claim_of(text, title=text, published_at=published_at)


def rendered(
    *claims: Claim, section: str = "Executive summary", asked_at: datetime | None = ASKED_AT
) -> RenderedReport:
    sentence = Sentence(text=claims[0].text, claim_ids=tuple(claim.id for claim in claims))
    report = Report(title="Ardgaford", sections=(Section(title=section, paragraphs=((sentence,),)),))
    return render_report(
        report, {each.id: each for each in claims}, texts(*claims).__getitem__, brief=Brief(task="?", asked_at=asked_at)
    )


def texts(*claims: Claim) -> dict[str, str]:
    return {claim.source.snapshot_sha256: claim.text for claim in claims}


@pytest.mark.parametrize(
    ("published", "said"),
    [
        (datetime(2016, 5, 2, tzinfo=UTC), f"As of 2016-05-02: {MAYOR}"),
        (datetime(2016, 5, 2, tzinfo=UTC).replace(tzinfo=None), f"As of 2016-05-02: {MAYOR}"),
        (datetime(2024, 11, 28, tzinfo=UTC), f"As of 2024-11-28: {MAYOR}"),
        (datetime(2025, 11, 28, tzinfo=UTC), MAYOR),
        (None, MAYOR),
    ],
)
def test_a_sentence_of_an_old_source_gives_its_date(published: datetime | None, said: str) -> None:
    claim = stated_by(MAYOR, published)
    report = rendered(claim)
    assert [each.text for each in report.sidecar.sentences] == [said]
    assert f"{escape(said)} [1]" in report.markdown
    assert check_citations(report.markdown, report.sidecar, texts(claim).__getitem__) == []


def test_what_a_newer_or_undated_source_says_too_gives_none() -> None:
    old = stated_by(MAYOR, datetime(2016, 5, 2, tzinfo=UTC))
    for published in (None, datetime(2026, 1, 1, tzinfo=UTC)):
        assert [each.text for each in rendered(old, stated_by(ALSO, published)).sidecar.sentences] == [MAYOR]
    older = rendered(old, stated_by(ALSO, datetime(2018, 1, 1, tzinfo=UTC)))
    assert [each.text for each in older.sidecar.sentences] == [f"As of 2018-01-01: {MAYOR}"]


def test_the_sides_of_a_disagreement_and_runs_that_do_not_know_when_they_were_asked_give_none() -> None:
    claim = stated_by(MAYOR, datetime(2016, 5, 2, tzinfo=UTC))
    assert [each.text for each in rendered(claim, section=DISAGREEMENTS).sidecar.sentences] == [MAYOR]
    assert [each.text for each in rendered(claim, asked_at=None).sidecar.sentences] == [MAYOR]


@pytest.mark.parametrize("date", ["2016-05-03", "2026-05-02", "2015-05-02"])
def test_another_date_than_the_newest_source_has_is_found(date: str) -> None:
    claim = stated_by(MAYOR, datetime(2016, 5, 2, tzinfo=UTC))
    report = rendered(claim)
    sentence = report.sidecar.sentences[0]
    forged = sentence.model_copy(update={"text": sentence.text.replace("2016-05-02", date)})
    sidecar = report.sidecar.model_copy(update={"sentences": (forged,)})
    markdown = report.markdown.replace(escape(sentence.text), escape(forged.text))
    found = check_citations(markdown, sidecar, texts(claim).__getitem__)
    assert [each.code for each in found] == ["support"]


def test_a_source_that_says_as_of_itself_is_quoted_as_it_is() -> None:
    text = "As of 2012-01-01: the mayor of Ardgaford is Elena Keltaard."
    claim = stated_by(text, datetime(2026, 5, 2, tzinfo=UTC))
    report = rendered(claim)
    assert [each.text for each in report.sidecar.sentences] == [text]
    assert check_citations(report.markdown, report.sidecar, texts(claim).__getitem__) == []


def test_reports_from_before_this_are_made_again_as_they_were() -> None:
    claim = stated_by(MAYOR, datetime(2016, 5, 2, tzinfo=UTC))
    sentence = Sentence(text=claim.text, claim_ids=(claim.id,))
    report = Report(title="Ardgaford", sections=(Section(title="Analysis", paragraphs=((sentence,),)),))
    inputs = ReportInputs(
        report=report,
        claims=(claim,),
        brief=Brief(task="?", asked_at=ASKED_AT),
        conflicts=0,
        sources_read=1,
    )
    kept = ReportInputs.model_validate(inputs.model_dump(mode="json", exclude={"dates_old"}))
    assert "As of" not in render_again(kept, texts(claim).__getitem__).markdown
    told = inputs.model_copy(update={"dates_old": True})
    assert "As of 2016" in render_again(told, texts(claim).__getitem__).markdown


def test_the_date_comes_off_again() -> None:
    assert undated(dated(MAYOR, "2016-05-02")) == (MAYOR, "2016-05-02")
    assert undated(dated(MAYOR, None)) == (MAYOR, None)
    assert old_since([], ASKED_AT) is None
