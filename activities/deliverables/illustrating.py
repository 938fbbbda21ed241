"""The picture on a deck's cover, by a model of images through litellm, where a deployment configures one.

It is decoration: it shows no number and no fact, carries no text, and stands nowhere but on the cover.
"""

from dataclasses import dataclass

from activities.research.vendor import generate_image
from schema.contracts.research import Brief
from schema.errors import ProviderAnswerInvalid
from schema.policies import ILLUSTRATION_BYTES_MAX, ILLUSTRATION_PROMPT_CHARACTERS

PROMPT = (
    "A calm, abstract editorial illustration for the cover of a business presentation. Flat shapes, few colours, no "
    "text, no letters, no numbers, no charts, no logos, no people who could be recognised. Theme: "
)
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


@dataclass(frozen=True)
class ImageModel:
    """A model that draws."""

    name: str
    """As litellm has it."""
    base_url: str | None = None
    api_key: str | None = None
    timeout_s: float = 120.0


async def illustration(brief: Brief, image_config: ImageModel) -> tuple[bytes, str]:
    """Have a picture drawn for a task; return it with its media type (PNG or JPEG).

    Raises:
        ProviderUnavailable, ProviderRateLimited, ProviderRefused: the model failed.
        ProviderAnswerInvalid: what it sent is no picture, or too large.
    """
    theme = " ".join(brief.task.split())[:ILLUSTRATION_PROMPT_CHARACTERS]
    data = await generate_image(
        model=image_config.name,
        prompt=PROMPT + theme,
        timeout_s=image_config.timeout_s,
        base_url=image_config.base_url,
        api_key=image_config.api_key,
    )
    if len(data) > ILLUSTRATION_BYTES_MAX:
        raise ProviderAnswerInvalid(f"The picture has {len(data):,} bytes, and may have {ILLUSTRATION_BYTES_MAX:,}.")
    if data.startswith(_PNG):
        return data, "image/png"
    if data.startswith(_JPEG):
        return data, "image/jpeg"
    raise ProviderAnswerInvalid("The provider sent what is no PNG and no JPEG.")
