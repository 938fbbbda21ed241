"""Scans made of known text: set with fonts of this machine, then turned, greyed and spoilt as a scanner would.

Deterministic by its seed. Needs Pillow and numpy (extra `ocr`). Without DejaVu fonts it sets with Pillow's own.
"""

import io
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONTS = Path("/usr/share/fonts/truetype/dejavu")
FACES = (
    *("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansCondensed.ttf", "DejaVuSerifCondensed.ttf", "DejaVuSansMono.ttf"),
    *("DejaVuSans-Bold.ttf", "DejaVuSerif-Italic.ttf", "DejaVuSerif-Bold.ttf"),
)
_VOCABULARY = (
    "the of and to in a is that for it as was with be by on not he his but at are this have from which or had "
    "an were tide estuary barrage turbine sluice channel harbour survey metre velocity current energy annual "
    "estimate report committee engineer proposal capital cost interest approval council navigation sediment "
    "habitat species winter summer measured observed recorded average maximum minimum increase decrease "
    "significant approximately between Bristol Severn Cardiff Avonmouth Thomas Fulljames March October January "
    "Parliament Ministry Geneva Zürich Orléans however therefore although because during before after through "
    "against within another several possible necessary government development environment construction "
    "installation transmission generation electricity power station "
)
WORDS = tuple(_VOCABULARY.split())


@dataclass
class Scan:
    """A picture of a page, and what is written on it."""

    image: Any
    blocks: list[str] = field(default_factory=list)
    """In reading order; of a table the cells, row by row."""
    tables: list[list[list[str]]] = field(default_factory=list)
    turned: int = 0
    """Degrees clockwise by which the page must be turned to be upright."""
    skew: float = 0.0

    @property
    def text(self) -> str:
        """Return all of it."""
        return "\n".join(self.blocks)

    def encoded(self, kind: str = "PNG", **options: Any) -> bytes:
        """Return the picture as a file."""
        out = io.BytesIO()
        self.image.save(out, kind, **options)
        return out.getvalue()


def font(face: str, size: int) -> Any:
    """Return a font of this machine, or Pillow's own."""
    path = FONTS / face
    return ImageFont.truetype(str(path), size) if path.is_file() else ImageFont.load_default(size)


def sentence(random_: random.Random) -> str:
    """Return words with figures and punctuation among them."""
    words = [random_.choice(WORDS) for _ in range(random_.randint(7, 16))]
    for _ in range(random_.randint(0, 2)):
        figure = random_.choice(
            (
                f"{random_.uniform(0.1, 99):.1f}",
                f"{random_.randint(1800, 2026)}",
                f"{random_.randint(1000, 99999):,}",
                f"{random_.randint(1, 99)} %",
                f"£{random_.randint(1, 999)}",
                f"({random_.randint(1, 50)} km)",
            )
        )
        words.insert(random_.randrange(1, len(words)), figure)
    if random_.random() < 0.4:
        words[random_.randrange(1, len(words) - 1)] += random_.choice((",", ";", ","))
    words[0] = words[0].capitalize()
    return " ".join(words) + random_.choice((".", ".", ".", "?"))


@dataclass
class _Sheet:
    """A page while it is set."""

    random: random.Random
    width: int
    height: int
    scan: Scan
    draw: Any
    face: str
    size: int

    def paragraph(self, x: int, y: int, width: int, bottom: int, sentences: int, size: int = 0) -> int:
        face = font(self.face, size or self.size)
        text = " ".join(sentence(self.random) for _ in range(sentences))
        lines, line = [], ""
        for word in text.split(" "):
            longer = f"{line} {word}".strip()
            if face.getlength(longer) > width and line:
                lines.append(line)
                line = word
            else:
                line = longer
        lines.append(line)
        pitch = round((size or self.size) * 1.4)
        shown = lines[: max(0, (bottom - y) // pitch)]
        for number, each in enumerate(shown):
            self.draw.text((x, y + number * pitch), each, fill=self.ink, font=face)
        if shown:
            self.scan.blocks.append(" ".join(shown))
        return y + len(shown) * pitch

    def line(self, x: int, y: int, text: str, size: int, face: str = "") -> int:
        self.draw.text((x, y), text, fill=self.ink, font=font(face or self.face, size))
        self.scan.blocks.append(text)
        return y + round(size * 1.6)

    def table(self, x: int, y: int, width: int, *, rows: int, columns: int, ruled: bool) -> int:
        face, pitch = font(self.face, self.size), round(self.size * 2.0)
        heads = self.random.sample(("Site", "Range", "Power", "Year", "Cost", "Length", "Head"), columns)
        cells = [heads]
        for _ in range(rows - 1):
            name = self.random.choice(("Avonmouth", "Cardiff", "Beachley", "Weston", "Minehead", "Newport", "Barry"))
            numbers = [
                self.random.choice((f"{self.random.uniform(1, 99):.1f}", f"{self.random.randint(100, 9999)}"))
                for _ in range(columns - 1)
            ]
            cells.append([name, *numbers])
        step = width // columns
        for row, texts in enumerate(cells):
            for column, text in enumerate(texts):
                left = x + column * step + self.size // 2
                if (column and not ruled and row) or (column and not ruled):
                    left = x + (column + 1) * step - self.size // 2 - round(face.getlength(text))
                self.draw.text((left, y + row * pitch + round(self.size * 0.35)), text, fill=self.ink, font=face)
        if ruled:
            for row in range(rows + 1):
                self.draw.line((x, y + row * pitch, x + step * columns, y + row * pitch), fill=self.ink, width=2)
            for column in range(columns + 1):
                self.draw.line((x + column * step, y, x + column * step, y + rows * pitch), fill=self.ink, width=2)
        self.scan.tables.append(cells)
        self.scan.blocks.append("\n".join(" ".join(texts) for texts in cells))
        return y + rows * pitch + self.size

    ink: Any = (20, 20, 20)


def page(
    seed: int,
    kind: str = "text",
    *,
    turned: int = 0,
    skew: float = 0.0,
    noise: float = 0.0,
    paper: int = 255,
    shade: float = 0.0,
    jpeg: int = 0,
    blur: float = 0.0,
    dpi: int = 200,
    points: float = 11.0,
    face: str = "",
) -> Scan:
    """Make one page.

    Args:
        kind: `text`, `columns`, `table`, `ruled` or `mixed`.
        turned: degrees clockwise by which its reader has to turn it: 0, 90, 180, 270.
        skew: degrees by which it lies clockwise on the glass.
        noise: standard deviation of the noise, of 255; a tenth of it in specks too.
        paper: grey of the paper.
        shade: how much darker one side is, 0..1.
        jpeg: quality of a JPEG that it was; 0: it was none.
        blur: radius in pixels.
    """
    rng = random.Random(f"{kind}-{seed}")
    width, height = round(8.27 * dpi), round(11.69 * dpi * 0.75)
    image = Image.new("RGB", (width, height), (paper, paper, paper))
    size = round(points * dpi / 72)
    scan = Scan(image, turned=turned, skew=skew)
    sheet = _Sheet(rng, width, height, scan, ImageDraw.Draw(image), face or rng.choice(FACES), size)
    margin = round(0.8 * dpi)
    _set(sheet, kind, margin, width - 2 * margin, height - margin)
    scan.image = _spoilt(image, rng, turned, skew, noise, shade, jpeg, blur, paper)
    return scan


def _set(sheet: _Sheet, kind: str, margin: int, inner: int, bottom: int) -> None:
    y = sheet.line(margin, margin, " ".join(sheet.random.sample(WORDS[22:60], 4)).capitalize(), sheet.size * 2)
    y += sheet.size
    if kind in ("text", "mixed"):
        y = sheet.paragraph(margin, y, inner, bottom, 3) + sheet.size
        if kind == "text":
            y = sheet.line(margin, y, "Method", round(sheet.size * 1.3), "DejaVuSans-Bold.ttf")
            y = sheet.paragraph(margin, y, inner, bottom, 4) + sheet.size
            for _ in range(3):
                item = " ".join(sheet.random.sample(WORDS[22:], 5))
                y = sheet.line(margin + sheet.size, y, f"- {item}", sheet.size)
            sheet.paragraph(margin, y + sheet.size, inner, bottom, 3)
    if kind in ("table", "ruled"):
        y = sheet.paragraph(margin, y, inner, bottom, 2) + sheet.size
        y = sheet.line(margin, y, "Table 1: Sites of the survey", sheet.size)
        y = sheet.table(margin, y, inner, rows=6, columns=4, ruled=kind == "ruled") + sheet.size
        sheet.paragraph(margin, y, inner, bottom, 2)
    if kind in ("columns", "mixed"):
        gutter = round(sheet.size * 2.2)
        half = (inner - gutter) // 2
        for column in range(2):
            x, at = margin + column * (half + gutter), y
            for _ in range(3):
                if at < bottom - 3 * sheet.size:
                    at = sheet.paragraph(x, at, half, bottom, 2) + round(sheet.size * 0.8)


def _spoilt(
    image: Any,
    rng: random.Random,
    turned: int,
    skew: float,
    noise: float,
    shade: float,
    jpeg: int,
    blur: float,
    paper: int,
) -> Any:
    from PIL import ImageFilter

    if skew:
        image = image.rotate(-skew, Image.Resampling.BICUBIC, expand=True, fillcolor=(paper, paper, paper))
    if turned:
        image = image.rotate(turned, expand=True)
    if blur:
        image = image.filter(ImageFilter.GaussianBlur(blur))
    array = np.asarray(image, np.float32)
    noises = np.random.default_rng(rng.randrange(2**32))
    if shade:
        array = array * np.linspace(1 - shade, 1, array.shape[1], dtype=np.float32)[None, :, None]
    if noise:
        array = array + noises.normal(0, noise, array.shape[:2])[:, :, None]
        specks = noises.random(array.shape[:2])
        array[specks < noise / 20_000] = 0
    image = Image.fromarray(np.clip(array, 0, 255).astype(np.uint8))
    if jpeg:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=jpeg)
        image = Image.open(io.BytesIO(out.getvalue())).convert("RGB")
    return image


def note(lines: list[str]) -> Scan:
    """Return a small page with a title and these lines, a little askew, on grey paper: soon read."""
    grey = (225, 225, 225)
    image = Image.new("RGB", (1000, 420), grey)
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((60, 50 + number * 90), line, fill=(30, 30, 30), font=font("DejaVuSerif.ttf", 30 if number else 44))
    return Scan(image.rotate(1.2, Image.Resampling.BICUBIC, expand=True, fillcolor=grey), lines, skew=-1.2)


def character_accuracy(truth: str, found: str) -> float:
    """Return 1 - edit distance / length of the truth; runs of white space count as one space."""
    a, b = " ".join(truth.split()), " ".join(found.split())
    if not a:
        return 1.0 if not b else 0.0
    codes = np.array([ord(char) for char in b], np.int32)
    steps = np.arange(len(b) + 1)
    row = steps.copy()
    for number, char in enumerate(a, 1):
        best = np.empty_like(row)
        best[0] = number
        best[1:] = np.minimum(row[1:] + 1, row[:-1] + (codes != ord(char)))
        row = np.minimum.accumulate(best - steps) + steps
    return max(0.0, 1 - float(row[-1]) / len(a))
