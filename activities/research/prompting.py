"""Prompting: the texts of `prompts/`, and the fences that keep what others wrote apart from what we say.

The system role holds only our own text. Task, passages and findings go into the user role, each between two lines that
carry a hash of the content: content cannot contain its own fence, and the same content always gives the same prompt.
"""

import hashlib
import json
from functools import lru_cache
from importlib.resources import files

import jinja2

from activities.research.answers import Answer, schema_of

FENCE_DIGITS = 16


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    def load(name: str) -> str:
        return files("activities.research").joinpath("prompts", name).read_text("utf-8")

    # Prompts are plain text for a model, never HTML; values from outside are numbers and names of our own tools.
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(load),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def system_text(prompt: str, answer: type[Answer], *, with_schema: bool, canary: str = "", **values: int | str) -> str:
    """Return the system message of a prompt; `with_schema` spells the schema out for servers that do not enforce it.

    `canary` is a text that an answer has no reason to repeat; where it turns up, the prompt was leaked.
    """
    text = _environment().get_template(f"{prompt}.j2").render(**values)
    common = (
        _environment()
        .get_template("common.j2")
        .render(
            schema_name=answer.__name__,
            canary=canary,
            schema=json.dumps(schema_of(answer), indent=1, sort_keys=True) if with_schema else "",
        )
    )
    return f"{text.strip()}\n\n{common.strip()}"


def repair_text(answer: type[Answer], error: str) -> str:
    """Return what is said to a model whose answer was not usable."""
    return _environment().get_template("repair.j2").render(schema_name=answer.__name__, error=error).strip()


def fenced(label: str, content: str) -> str:
    """Return untrusted content between two lines that it cannot forge."""
    mark = hashlib.sha256(f"{label}\0{content}".encode()).hexdigest()[:FENCE_DIGITS]
    return f"<<<{label} {mark}>>>\n{content}\n<<<end {mark}>>>"
