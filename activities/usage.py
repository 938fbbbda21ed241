"""What an activity's work costs, as usage items."""

from schema.contracts.common import Tokens
from schema.prices import ILLUSTRATION, ILLUSTRATION_PCR, tokens_pcr, tool_pcr
from schema.store.billing import UsageItem


def reasoner_usage(operation_key: str, reasoner: str, tokens: Tokens) -> UsageItem:
    """Return the item of one operation of the reasoner."""
    return UsageItem(
        operation_key=operation_key,
        kind="tokens",
        item=reasoner,
        amount_pcr=tokens_pcr(reasoner, tokens.input, tokens.output),
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        calls=1,
    )


def tool_usage(operation_key: str, tool: str) -> UsageItem:
    """Return the item of one successful call of a tool."""
    return UsageItem(operation_key=operation_key, kind="tool", item=tool, amount_pcr=tool_pcr(tool), calls=1)


def illustration_usage(operation_key: str) -> UsageItem:
    """Return the item of one picture by a model of images."""
    return UsageItem(operation_key=operation_key, kind="tool", item=ILLUSTRATION, amount_pcr=ILLUSTRATION_PCR, calls=1)
