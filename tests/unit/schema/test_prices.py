"""The price list and the quote."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema import prices
from schema.money import HOLD_CREDITS_MAX, PCR_PER_UCR, UCR_PER_CREDIT, ucr_to_credits
from schema.policies import AGENTS_DEFAULT, AGENTS_MAX, TOKENS_DEFAULT, TOKENS_MAX, TOKENS_MIN
from schema.prices import (
    MCP_CALL_PCR,
    PRICE_VERSION,
    STEP_NEEDS_PCR,
    TOOL_CALL_PCR,
    quote_ucr,
    step_needs_pcr,
    tokens_pcr,
    tool_pcr,
)

CREDIT_PCR = UCR_PER_CREDIT * PCR_PER_UCR


def test_the_contracts_example_is_quoted_at_fifty() -> None:
    assert (AGENTS_DEFAULT, TOKENS_DEFAULT) == (10, 100_000)
    assert str(ucr_to_credits(quote_ucr(AGENTS_DEFAULT, TOKENS_DEFAULT))) == "50.00"


@given(st.integers(1, AGENTS_MAX - 1), st.integers(TOKENS_MIN, TOKENS_MAX - 1))
def test_a_larger_run_is_never_quoted_lower(agents: int, tokens: int) -> None:
    assert quote_ucr(agents, tokens) <= quote_ucr(agents, tokens + 1)
    assert quote_ucr(agents, tokens) < quote_ucr(agents + 1, tokens)


def test_the_largest_quote_is_a_possible_hold() -> None:
    assert 0 < quote_ucr(1, TOKENS_MIN) <= quote_ucr(AGENTS_MAX, TOKENS_MAX) <= HOLD_CREDITS_MAX * UCR_PER_CREDIT


FIGURES_SECOND: dict[str, Any] = {
    "MODEL_INPUT_TOKEN_PCR": 300_000_000,
    "MODEL_OUTPUT_TOKEN_PCR": 1_500_000_000,
    "EXTRACTIVE_TOKEN_PCR": 10_000_000,
    "TOOL_CALL_PCR": {
        "corpus.search": 20_000_000_000,
        "document.read": 10_000_000_000,
        "web.fetch": 50_000_000_000,
        "web.search": 50_000_000_000,
        "academic.search": 50_000_000_000,
        "news.search": 50_000_000_000,
    },
    "MCP_CALL_PCR": 50_000_000_000,
    "STEP_NEEDS_PCR": {"extractive": 100_000_000_000, "model": 1_500_000_000_000},
    "RUN_BASE_PCR": 2_000_000_000_000,
    "AGENT_QUOTE_PCR": 3_000_000_000_000,
    "ROW_QUOTE_PCR": 150_000_000_000,
}
FIGURES_THIRD = FIGURES_SECOND | {"TOOL_CALL_PCR": FIGURES_SECOND["TOOL_CALL_PCR"] | {"python.run": 50_000_000_000}}
FIGURES_FOURTH = FIGURES_THIRD | {
    "TOOL_CALL_PCR": FIGURES_THIRD["TOOL_CALL_PCR"] | {"data.ask": 20_000_000_000},
    "FILE_UNIT_PCR": {
        "data.megabyte": 50_000_000_000,
        "document.megabyte": 20_000_000_000,
        "document.page": 50_000_000_000,
        "image.image": 50_000_000_000,
        "audio.minute": 100_000_000_000,
        "video.minute": 200_000_000_000,
    },
}
FIGURES = {
    "2026-11-2": FIGURES_SECOND,
    "2026-11-3": FIGURES_THIRD,
    "2026-11-4": FIGURES_FOURTH,
    "2026-11-5": FIGURES_FOURTH | {"ILLUSTRATION_PCR": 4_000_000_000_000},
}
"""What each version of the list said: usage rows name theirs for ever. Versions are added; none is changed."""


def test_a_changed_figure_is_a_new_version() -> None:
    figures = {name: value for name, value in vars(prices).items() if name.endswith("_PCR") and name[0] != "_"}
    assert figures == FIGURES[PRICE_VERSION]
    assert max(FIGURES) == PRICE_VERSION
    assert tool_pcr("mcp.any_tool") == MCP_CALL_PCR


def test_a_table_is_quoted_by_its_rows() -> None:
    """`2 + 0.15 x rows + 180 per million tokens` credits, whatever the number of agents."""
    assert quote_ucr(10, 1_000_000, rows=100) == (2 + 15 + 180) * UCR_PER_CREDIT
    assert quote_ucr(1, 500_000, rows=1) == (2 + 90) * UCR_PER_CREDIT + 150_000


def test_a_million_tokens_cost_what_the_list_says() -> None:
    assert tokens_pcr("some/model", 1_000_000, 0) == 300 * CREDIT_PCR
    assert tokens_pcr("some/model", 0, 1_000_000) == 1_500 * CREDIT_PCR
    assert tokens_pcr("extractive", 500_000, 500_000) == 10 * CREDIT_PCR
    assert tokens_pcr("some/model", 0, 0) == tokens_pcr("extractive", 0, 0) == 0


@given(st.sampled_from(["extractive", "some/model"]), *[st.integers(0, 10**7)] * 4)
def test_token_prices_add_up(reasoner: str, a: int, b: int, c: int, d: int) -> None:
    """Nothing is rounded on the way: metering a call in two parts costs the same."""
    assert tokens_pcr(reasoner, a + c, b + d) == tokens_pcr(reasoner, a, b) + tokens_pcr(reasoner, c, d)


def test_a_tool_without_a_price_is_refused() -> None:
    with pytest.raises(KeyError):
        tool_pcr("no.such")


def test_an_unknown_reasoner_needs_as_much_as_a_model() -> None:
    assert step_needs_pcr("some/model") == STEP_NEEDS_PCR["model"] > step_needs_pcr("extractive") > 0
    assert step_needs_pcr("extractive") >= max(TOOL_CALL_PCR.values())
