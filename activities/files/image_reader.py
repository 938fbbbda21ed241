"""Images as files of a run: what is written on them, their tables, and what they look like."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from activities.files.reader import Assembled, Blob, Extent, Reading, Source
from activities.images import models
from activities.images.captioning import VisionModel, caption_of
from activities.images.describing import describe
from activities.images.recognising import image_facts, read_image
from activities.images.text import document_of, table_csv
from schema.contracts.files import Portion
from schema.contracts.images import Caption, ImageFacts, ReadImage, ReadPage
from schema.policies import IMAGE_PORTION_PAGES


class ImageReader:
    """Reads pictures, in the sandbox; the pages of a multi-page TIFF in portions."""

    def __init__(self, engine: str = models.AUTO, vision: VisionModel | None = None) -> None:
        """Keep how pictures are read.

        Args:
            engine: `auto`, `rapidocr`, `easyocr` or `none`.
            vision: the model that describes them; None: code does.
        """
        self._setting = engine
        self._vision = vision
        self.version = version_of("image-1", engine, vision)

    async def inspect(self, source: Source) -> Extent:
        """Count pictures: the pages of a TIFF; of all others one.

        Raises:
            PartMissing: no engine is installed here.
            UnsupportedFormat, PayloadTooLarge, SourceUnavailable: as `Reader.inspect`.
        """
        self._engine()
        facts = await image_facts(source.path)
        starts = range(1, facts.pages + 1, IMAGE_PORTION_PAGES)
        portions = tuple(
            Portion(number=number, start=first, end=min(first + IMAGE_PORTION_PAGES - 1, facts.pages))
            for number, first in enumerate(starts, 1)
        )
        return Extent("image.image", facts.pages, portions, {"image": facts.model_dump(mode="json")})

    async def read(
        self,
        source: Source,
        facts: Mapping[str, Any],
        portion: Portion,
        progress: Callable[[float], None],
        first: Mapping[str, Any] | None = None,
    ) -> Reading:
        """Read the pages of a portion; raises as `inspect`."""
        pages, previews = await read_image(source.path, self._engine(), int(portion.start), int(portion.end))
        value: dict[str, Any] = {"pages": [page.model_dump(mode="json") for page in pages]}
        if portion.number == 1 and self._vision is not None:
            said = await caption_of(previews["page-1.png"], self._vision)
            value |= {"caption": said.model_dump()} if isinstance(said, Caption) else {"caption_missing": said}
        return Reading(value, {name: Blob("image/png", data) for name, data in previews.items()})

    async def assemble(self, name: str, facts: Mapping[str, Any], readings: Sequence[Mapping[str, Any]]) -> Assembled:
        """Return what was read as one result and one text; each table as CSV too."""
        pages = tuple(ReadPage.model_validate(page) for reading in readings for page in reading["pages"])
        about = ImageFacts.model_validate(facts["image"])
        first = readings[0]
        result = ReadImage(
            filename=name,
            facts=about,
            pages=pages,
            description=describe(about, pages),
            caption=Caption.model_validate(first["caption"]) if "caption" in first else None,
            caption_missing=first.get("caption_missing"),
        )
        mime = f"image/{about.format.lower()}"
        document = document_of(name, mime, pages, result.description, result.caption)
        return Assembled(result.model_dump(mode="json"), document, blobs=tables_of(pages))

    def _engine(self) -> str:
        engine = models.choose(self._setting)
        if engine is None:
            raise models.missing(self._setting)
        return engine


def version_of(reader: str, setting: str, vision: VisionModel | None = None) -> str:
    """Return a reader's version: another engine, or another model, reads anew."""
    engine = setting
    if setting == models.AUTO:
        engine = models.RAPIDOCR if models.is_installed(models.RAPIDOCR) else models.NONE
    seen = f"-{hashlib.sha256(vision.name.encode()).hexdigest()[:8]}" if vision is not None else ""
    return f"{reader}-{engine}{seen}"


def tables_of(pages: Sequence[ReadPage]) -> dict[str, Blob]:
    """Return the tables of pages as files."""
    return {
        f"page-{page.number}-table-{number}.csv": Blob("text/csv", table_csv(table))
        for page in pages
        for number, table in enumerate(page.tables, 1)
    }
