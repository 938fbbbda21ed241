"""Draws charts, inside the sandbox: the target of a job of `analysing.py`.

Input: JSON, `specs` (Vega-Lite) and `fonts` (folders). Answer: one line of JSON with the sizes of each chart's PNG
and SVG, then
their bytes. The renderer holds a JavaScript engine that reserves far more address space than it uses, so this is a
job of
its own, with a limit of its own, that never sees the user's file: its input was bounded before.
"""

import json
import os
import sys

SCALE = 2.0
"""Points per unit of the specification, so that a picture is sharp in print."""


def main(answer: int) -> int:
    """Draw what comes on the input."""
    import vl_convert

    header = json.loads(sys.stdin.buffer.read())
    for folder in header["fonts"]:
        vl_convert.register_font_directory(folder)
    sizes: list[tuple[int, int]] = []
    pictures: list[bytes] = []
    for spec in header["specs"]:
        svg = vl_convert.vegalite_to_svg(spec, vl_version="5.20", allowed_base_urls=[]).encode()
        png = vl_convert.svg_to_png(svg.decode(), scale=SCALE)
        sizes.append((len(png), len(svg)))
        pictures += [png, svg]
    with os.fdopen(answer, "wb") as out:
        out.write(json.dumps(sizes).encode() + b"\n")
        for picture in pictures:
            out.write(picture)
    return 0
