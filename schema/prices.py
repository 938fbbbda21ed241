"""The price list: what each kind of use costs, in pico-credits per unit. One versioned file.

Every usage row names `PRICE_VERSION`. A change of any figure is a new version; old rows keep the old one.
Figures are this product's own tariff: a credit is meant to be about one US cent, and model tokens are passed on at
about the list price of a mid-size hosted model (3 USD per million tokens read, 15 USD per million written).
"""

from schema.money import PCR_PER_UCR, UCR_PER_CREDIT

PRICE_VERSION = "2026-11-5"

_CREDIT_PCR = UCR_PER_CREDIT * PCR_PER_UCR

MODEL_INPUT_TOKEN_PCR = 300 * _CREDIT_PCR // 1_000_000
MODEL_OUTPUT_TOKEN_PCR = 1_500 * _CREDIT_PCR // 1_000_000
EXTRACTIVE_TOKEN_PCR = 10 * _CREDIT_PCR // 1_000_000
"""The extractive reasoner uses no model: a token read costs processor time only."""

TOOL_CALL_PCR: dict[str, int] = {
    "corpus.search": _CREDIT_PCR // 50,
    "data.ask": _CREDIT_PCR // 50,
    "document.read": _CREDIT_PCR // 100,
    "web.fetch": _CREDIT_PCR // 20,
    "web.search": _CREDIT_PCR // 20,
    "academic.search": _CREDIT_PCR // 20,
    "news.search": _CREDIT_PCR // 20,
    "python.run": _CREDIT_PCR // 20,
}
"""Price of one successful call of a tool, whoever answered it; below what a step needs (`STEP_NEEDS_PCR`)."""
MCP_PREFIX = "mcp."
MCP_CALL_PCR = _CREDIT_PCR // 20
"""Price of one successful call of any tool of an MCP server."""

ILLUSTRATION = "image.generate"
ILLUSTRATION_PCR = 4 * _CREDIT_PCR
"""One picture by a model of images: about the list price of a hosted one in medium quality."""

FILE_UNIT_PCR: dict[str, int] = {
    "data.megabyte": _CREDIT_PCR // 20,
    "document.megabyte": _CREDIT_PCR // 50,
    "document.page": _CREDIT_PCR // 20,
    "image.image": _CREDIT_PCR // 20,
    "audio.minute": _CREDIT_PCR // 10,
    "video.minute": _CREDIT_PCR // 5,
}
"""Price of reading a file, by its kind and the unit that it is counted in; each begun unit counts."""

STEP_NEEDS_PCR = {"extractive": _CREDIT_PCR // 10, "model": 3 * _CREDIT_PCR // 2}
"""What an agent must have left before a step begins; a step that would cost more is not begun."""

RUN_BASE_PCR = 2 * _CREDIT_PCR
"""Part of a quote that covers planning and the report's storage; not charged by itself."""
AGENT_QUOTE_PCR = 3 * _CREDIT_PCR
"""Part of a quote per agent: bounds its tool calls."""
ROW_QUOTE_PCR = 15 * _CREDIT_PCR // 100
"""Part of a quote per row of a table, in place of its agents': three searches, one document, and a step to spare."""


def tokens_pcr(reasoner: str, input_tokens: int, output_tokens: int) -> int:
    """Price the tokens of one reasoner call. `reasoner` is `extractive` or a model's name; result in pico-credits."""
    if reasoner == "extractive":
        return (input_tokens + output_tokens) * EXTRACTIVE_TOKEN_PCR
    return input_tokens * MODEL_INPUT_TOKEN_PCR + output_tokens * MODEL_OUTPUT_TOKEN_PCR


def step_needs_pcr(reasoner: str) -> int:
    """Return what an agent must have left before a step with this reasoner begins, in pico-credits."""
    return STEP_NEEDS_PCR.get(reasoner, STEP_NEEDS_PCR["model"])


def tool_pcr(tool: str) -> int:
    """Price one successful call of `tool`, in pico-credits.

    Raises:
        KeyError: the tool has no price; a tool without a price cannot be registered.
    """
    return MCP_CALL_PCR if tool.startswith(MCP_PREFIX) else TOOL_CALL_PCR[tool]


def file_pcr(unit: str, amount: int) -> int:
    """Price the reading of a file, in pico-credits.

    Args:
        unit: of `FILE_UNIT_PCR`, as `audio.minute`; an amount of 1 means up to one whole unit.

    Raises:
        KeyError: there is no such unit.
    """
    return FILE_UNIT_PCR[unit] * amount


def quote_ucr(agents_max: int, tokens_max: int, *, rows: int = 0) -> int:
    """Quote a run: the hold that its start places, in micro-credits.

    `2 + 3 x agents + 180 per million tokens` credits, so that the contract's example (10 agents, 100,000 tokens) is
    quoted at 50.00. It is a ceiling, not a price: what is not used is released. A table is quoted by its rows, of
    which each has an agent of its own: `2 + 0.15 x rows + 180 per million tokens`.
    """
    tokens = tokens_max * 180 * _CREDIT_PCR // 1_000_000
    work = rows * ROW_QUOTE_PCR if rows else agents_max * AGENT_QUOTE_PCR
    return (RUN_BASE_PCR + work + tokens) // PCR_PER_UCR
