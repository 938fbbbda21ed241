"""Logs of the whole process, ours and the libraries', as one stream on standard error.

Structured (structlog), one JSON object a line or console text. What looks like a credential by its name is replaced.
"""

import logging
import logging.config
import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

REDACTED = "[redacted]"

_SECRET_NAME = re.compile(r"key|token|secret|password|passwd|authorization|cookie|credential", re.IGNORECASE)
_HARMLESS_NAMES = frozenset(
    {
        "operation_key",
        "idempotency_key",
        "object_key",
        "fairness_key",
        "priority_key",
        "key_id",
        "key_prefix",
        "api_key_id",
        "tokens",
        "input_tokens",
        "output_tokens",
    }
)
"""Names that contain such a word and identify or count something; they are what a log is searched by."""
_SECRET_TEXT = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 " + REDACTED),
    (re.compile(r"([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@/]+@"), r"\1:" + REDACTED + "@"),
    (re.compile(r"(?i)\b(X-Amz-(?:Signature|Credential|Security-Token))=[^&\s]+"), r"\1=" + REDACTED),
)
_DEPTH_MAX = 6

QUIET = {
    "httpx": "warning",
    "httpcore": "warning",
    "urllib3": "error",
    "litellm": "warning",
    "LiteLLM": "warning",
    "asyncio": "warning",
    "uvicorn.access": "warning",
    "infra.database": "warning",
}
"""Libraries that speak too much (SQLAlchemy in the name of our pool); the API writes an access line of its own."""


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace credentials: by the field's name, and in texts by their form. A structlog processor."""
    return {name: _clean(name, value, 0) for name, value in event.items()}


def _clean(name: str, value: Any, depth: int) -> Any:
    if depth > _DEPTH_MAX or value is None or isinstance(value, bool | int | float):
        return value
    if name not in _HARMLESS_NAMES and _SECRET_NAME.search(name):
        return REDACTED
    if isinstance(value, str):
        for pattern, replacement in _SECRET_TEXT:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, Mapping):
        return {key: _clean(str(key), inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", inner, depth + 1) for inner in value]
    return value


def configure_logging(
    *, level: str = "info", log_format: Literal["json", "console"] = "json", service: str = "swissbrain"
) -> None:
    """Set up structlog and the standard library's loggers; call once, at the start of a process.

    Args:
        service: the process's part (`api`, `worker`), on every line.
    """

    def name_service(_logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("service", service)
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
    ]
    last: list[Processor]
    if log_format == "json":
        # The traceback becomes text before redaction, which therefore reads it too.
        last = [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(default=str)]
    else:
        last = [redact, structlog.dev.ConsoleRenderer(colors=False)]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "ours": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "ours"}},
            "root": {"handlers": ["stderr"], "level": level.upper()},
            "loggers": {
                **{name: {"level": quiet.upper()} for name, quiet in QUIET.items()},
                # uvicorn brings handlers of its own: its lines shall take our way.
                "uvicorn": {"handlers": [], "propagate": True},
                "uvicorn.error": {"handlers": [], "propagate": True},
            },
        }
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
