"""RapidOCR: PP-OCR's models in ONNX, which its wheel carries (extra `ocr`).

The models read Chinese, Japanese and the Latin alphabet with its accents and digits. They do not read Cyrillic, Greek,
Arabic, Hebrew, Indian scripts, Thai or Korean.
"""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from activities.images.engines import Pixels, Quads, Written

DETECTED_SIDE_PX = 1_280
"""The longer side of the picture in which lines are searched; they are read from the full one."""
LINES_AT_ONCE = 6
LINE_WIDTH_MIN_PX = 112
"""Shorter lines are widened to it; less than the 320 that the model was trained with saves tables a sixth of the time,
and costs no accuracy (measured)."""
LINE_HEIGHT_PX = 48
"""What the model reads; taller lines are shrunk to it by averaging, which keeps thin strokes."""


class RapidEngine:
    """Loads its two models at once (0.3 s); a third, which turns single lines round, does more harm than good."""

    def __init__(self, files: dict[str, str]) -> None:
        """Load the models from `files["detect"]` and `files["recognise"]`."""
        import rapidocr
        from omegaconf import flag_override

        self.name = f"rapidocr {version('rapidocr')}"
        self._ocr: Any = rapidocr.RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_cls": False,
                "Det.limit_type": "max",
                "Det.limit_side_len": DETECTED_SIDE_PX,
                "Rec.rec_batch_num": LINES_AT_ONCE,
                "Rec.rec_img_shape": [3, LINE_HEIGHT_PX, LINE_WIDTH_MIN_PX],
            }
        )
        with flag_override(self._ocr.cfg, "allow_objects", True):
            self._ocr.cfg.Det.session = _session(files["detect"])
            self._ocr.cfg.Rec.session = _session(files["recognise"])

    def find(self, image: Pixels) -> Quads:
        """Return the corners of every line."""
        import numpy as np
        from rapidocr.main import RapidOCRError

        try:
            _, found = self._ocr.detect_and_crop(image[:, :, ::-1].copy(), {})
        except RapidOCRError:
            return np.zeros((0, 4, 2), np.float32)
        return np.asarray(found.boxes, np.float32)

    def read(self, lines: Sequence[Pixels]) -> list[Written]:
        """Read lines."""
        if not lines:
            return []
        found = self._ocr.recognize_txt([_shrunk(line)[:, :, ::-1] for line in lines])
        pairs = zip(found.txts, found.scores, strict=True)
        return [Written(str(text), float(score)) for text, score in pairs]


def _shrunk(line: Pixels) -> Pixels:
    import cv2

    height, width = line.shape[:2]
    if height <= LINE_HEIGHT_PX:
        return line
    size = (max(1, round(width * LINE_HEIGHT_PX / height)), LINE_HEIGHT_PX)
    return cv2.resize(line, size, interpolation=cv2.INTER_AREA)


def _session(path: str) -> Any:
    """Load a model, so that it leaves the cores to others while it waits (RapidOCR's own sessions spin on them)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
