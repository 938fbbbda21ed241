"""Planning slides: what a model proposes, what is kept of it, and the rules behind it."""

from collections.abc import AsyncIterator

import pytest

from activities.deliverables.deck.outlining import outline_request
from activities.deliverables.deck.planning import plan_deck
from activities.research.extractive import ExtractiveReasoner
from activities.research.fallback import FallbackReasoner
from activities.research.models import ModelReasoner
from activities.research.reasoner import ModelConfig
from schema.contracts.slides import Outline, SlideKind
from tests.support.model_server import ModelServer, fences
from tests.support.records import Shape, made_record

RECORD = made_record(5, Shape(grids=0, figures=0))


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as running:
        yield running


def model_of(server: ModelServer, **config: object) -> ModelReasoner:
    return ModelReasoner(
        ModelConfig(model="openai/scripted", base_url=server.base_url, api_key="sk-test", **config)  # type: ignore[arg-type]
    )


async def test_a_models_outline_makes_slides_of_the_reports_own_statements(server: ModelServer) -> None:
    request = outline_request(RECORD, 20)
    planned = await model_of(server).plan_slides(request)
    assert planned.tokens.total > 0
    numbers = [number for slide in planned.value.slides for number in slide.statements]
    assert len(numbers) == len(set(numbers)), "a statement stands on one slide"
    assert set(numbers) <= {each.number for each in request.statements}
    deck = plan_deck(RECORD, 20, planned.value)
    titles = [slide.title for slide in deck.slides]
    assert any(title.startswith("What the findings come to") for title in titles)
    assert not any("73.2" in title for title in titles), "a title's figure must be its slide's"
    said = {each.text: each.text for each in request.statements}
    shown = [each.text for slide in deck.slides if slide.kind == SlideKind.FINDINGS for each in slide.cited]
    assert shown
    assert all(text in said for text in shown)


async def test_the_prompt_is_bounded_and_foreign_text_stays_out_of_the_system_role(server: ModelServer) -> None:
    large = outline_request(made_record(6, Shape(subtasks=10, findings=4)), 30)
    await model_of(server, prompt_characters_max=2_000).plan_slides(large)
    [call] = server.calls
    shown = fences(call.user)["statements"]
    assert len(shown) <= 2_000
    assert {"(findings)", "(analysis)", "(recommendations)", "(conclusion)"} <= set(shown.split())
    assert large.statements[0].text not in call.system


async def test_without_a_usable_answer_the_rules_plan(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.model_server.answer", lambda call: {"slides": []})
    both = FallbackReasoner(model_of(server), ExtractiveReasoner())
    planned = await both.plan_slides(outline_request(RECORD, 20))
    assert planned.value == Outline()
    assert [each.operation for each in planned.fallbacks] == ["plan_slides"]
    assert plan_deck(RECORD, 20, planned.value) == plan_deck(RECORD, 20)
    monkeypatch.setattr("tests.support.model_server.answer", lambda call: {"nonsense": 1})
    broken = await both.plan_slides(outline_request(RECORD, 20))
    assert broken.value == Outline()
    assert broken.tokens.total > 0, "what was bought is paid for"
