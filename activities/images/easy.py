"""EasyOCR: CRAFT finds lines, a CRNN reads them (extra `easyocr`, with torch; slower than RapidOCR and less exact).

It reads English with the models that are pinned; it never downloads others.
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from activities.images.engines import Pixels, Quads, Written


class EasyEngine:
    """Loads both models at once (some five seconds)."""

    def __init__(self, files: dict[str, str]) -> None:
        """Load the models from the folder that holds both."""
        import easyocr

        self.name = f"easyocr {version('easyocr')}"
        folder = str(Path(files["detect"]).parent)
        self._reader: Any = easyocr.Reader(
            ["en"],
            gpu=False,
            model_storage_directory=folder,
            user_network_directory=folder,
            download_enabled=False,
            verbose=False,
        )

    def find(self, image: Pixels) -> Quads:
        """Return the corners of every line."""
        import numpy as np

        (level,), (free,) = self._reader.detect(image)
        found = [[(left, top), (right, top), (right, bottom), (left, bottom)] for left, right, top, bottom in level]
        return np.array([*found, *free], np.float32).reshape(-1, 4, 2)

    def read(self, lines: Sequence[Pixels]) -> list[Written]:
        """Read lines."""
        import cv2

        read = []
        for line in lines:
            grey = cv2.cvtColor(line, cv2.COLOR_RGB2GRAY)
            height, width = grey.shape
            found = self._reader.recognize(grey, horizontal_list=[[0, width, 0, height]], free_list=[])
            read.append(Written(str(found[0][1]), float(found[0][2])) if found else Written("", 0.0))
        return read
