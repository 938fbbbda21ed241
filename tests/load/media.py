"""`python -m tests.load.media`: how well and how fast recordings of known truth are read, and hostile ones refused.

Fails where, with the default model, two voices are not told apart, an eighth of the words is wrong, a citation is off
by more than a second or a recording is read less than five times faster than real time (on an idle machine), where a
slide of a show is missed, misread or cited at another time, or where a hostile file takes longer than ten seconds. The
small model joins sentences that it hears no full stop between.
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil

from activities.files.media_reader import MediaReader
from activities.media.models import DEFAULT_SPEECH, require
from activities.media.probing import portions, probe
from activities.media.reading import assemble, read_portion
from schema.errors import SwissbrainError
from tests.support import hostile_media as hostile
from tests.support.dialogues import LONG, cast
from tests.support.hearing import score
from tests.support.shows import film, talk, watch
from tests.support.speech import record, voices

MB = 1024 * 1024
FASTER_THAN_REAL_TIME = 5.0
REFUSED_WITHIN_S = 10.0


async def measure(folder: Path) -> bool:
    """Print the tables; tell whether every figure is within its limit."""
    known = voices()
    pairs = [("hibari", second) for second in known[1:3] if not second.startswith("espeak")]
    if "espeak-low" in known:
        pairs.append(("espeak-low", "espeak-high"))
    good = True
    print(
        "model            voices                    words wrong  speakers  wrong speaker    DER  cited off  x real time"
    )
    for speech in ("whisper-tiny.en", "whisper-base"):
        models = require(None, speech)
        for first, second in pairs:
            recording = record(cast(LONG, first, second))
            path = recording.write(folder / "talk.wav")
            info = await probe(path, "audio/wav")
            started = time.monotonic()
            readings = [(await read_portion(path, info, portion, models)).reading for portion in portions(info)]
            seconds = time.monotonic() - started
            found = score(recording, assemble(info, readings).transcript)
            faster = recording.duration_s / seconds
            print(
                f"{speech:16} {first + ', ' + second:25} {found.words_wrong:11.1%} {found.speakers:9} "
                f"{found.speaker_wrong:14.1%} {found.diarization_error:6.1%} {found.cited_off_s:8.2f} s {faster:12.1f}"
            )
            right = found.words_wrong < 0.12 and found.speakers == 2 and found.cited_off_s < 1
            good = good and ((right and faster > FASTER_THAN_REAL_TIME) or speech != DEFAULT_SPEECH)
    return (await _show(folder)) and (await _hostile(folder)) and good


async def _show(folder: Path) -> bool:
    """Print what five minutes of slides and speech come to, read as a file of a run."""
    show = film(folder, talk())
    found = await watch(show, MediaReader())
    print(f"\na slide show of {show.spoken.duration_s:.0f} s, {len(show.slides)} slides: {found}")
    right = found.frames == len(show.slides) and found.frames_off_s < 1 and found.letters_wrong < 0.03
    cited = found.lines_off_s < 1 and found.heard.cited_off_s < 1
    return right and cited and found.heard.words_wrong < 0.12


async def _hostile(folder: Path) -> bool:
    print("\nhostile file          KB  seconds  grown MB  refusal")
    files = dict(hostile.playlists(folder))
    makers = (hostile.too_long, hostile.next_to_nothing, hostile.many_streams, hostile.huge_frames)
    files |= {make.__name__: make(folder) for make in (*makers, hostile.endless, hostile.lies_about_length)}
    before, good = psutil.Process().memory_info().rss, True
    for name, path in files.items():
        started, said = time.monotonic(), ""
        try:
            said = f"read: {(await probe(path, '')).duration_s:.0f} s"
        except SwissbrainError as error:
            said = error.detail
        seconds = time.monotonic() - started
        grown = (psutil.Process().memory_info().rss - before) / MB
        good = good and seconds < REFUSED_WITHIN_S and grown < 200
        print(f"{name:18} {path.stat().st_size / 1024:7.0f} {seconds:8.2f} {grown:9.0f}  {said[:70]}")
    return good


def main() -> int:
    """Measure in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="swissbrain-media-") as folder:
        good = asyncio.run(measure(Path(folder)))
    print(f"\nload of this machine meanwhile: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
