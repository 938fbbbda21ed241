"""Recordings that mean harm, each made here: playlists in disguise, lies about length and size, floods, broken ones."""

import random
import struct
from pathlib import Path

from tests.support.speech import ffmpeg

SECRET = "SECRET-OF-ANOTHER-TENANT"


def tone(path: Path, *options: str, seconds: float = 3) -> Path:
    """Write a short tone in the format of the name."""
    ffmpeg(["-f", "lavfi", "-i", f"sine=440:duration={seconds}", *options, str(path)])
    return path


def video(path: Path, *options: str, seconds: float = 3, size: str = "320x180") -> Path:
    """Write a short video with sound."""
    source = ["-f", "lavfi", "-i", f"testsrc=duration={seconds}:size={size}:rate=10"]
    ffmpeg([*source, "-f", "lavfi", "-i", f"sine=440:duration={seconds}", "-pix_fmt", "yuv420p", *options, str(path)])
    return path


def playlists(folder: Path) -> dict[str, Path]:
    """Return texts that make a careless ffmpeg open another file or address, under innocent names."""
    secret = folder / "secret.txt"
    secret.write_text(SECRET)
    texts = {
        "hls.avi": f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1.0,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        "hls.mp3": "#EXTM3U\n#EXTINF:1.0,\nhttp://127.0.0.1:9/a.ts\n",
        "concat.mp4": f"ffconcat version 1.0\nfile '{secret}'\n",
        "dash.mp4": "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>",
        "sdp.wav": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
        "subtitles.mkv": "1\n00:00:00,000 --> 99:59:59,999\n" + "x" * 100_000,
    }
    found = {}
    for name, text in texts.items():
        found[name] = folder / name
        found[name].write_text(text)
    # Behind the magic bytes of a format that is read.
    for name, head in (
        ("avi-hls.avi", b"RIFF\xff\xff\xff\x7fAVI LIST"),
        ("mp3-hls.mp3", b"ID3\x04\x00\x00\x00\x00\x00\x00"),
    ):
        found[name] = folder / name
        found[name].write_bytes(head + texts["hls.avi"].encode() * 50)
    return found


def external_reference(folder: Path) -> Path:
    """Return a QuickTime file whose sound lies in another file, by an `alis` reference to its path."""
    whole = bytearray(tone(folder / "plain.mov", "-c:a", "pcm_s16le", seconds=1).read_bytes())
    at = whole.index(b"dref")
    # One entry: size, `url `, flags 1 (in this file). Another kind without the flag asks for a file.
    entry = whole.index(b"url ", at)
    whole[entry : entry + 8] = b"alis" + bytes(4)
    path = folder / "reference.mov"
    path.write_bytes(whole)
    return path


def lies_about_length(folder: Path) -> Path:
    """Return a WAV file of a second whose header says twelve hours."""
    data = bytearray(tone(folder / "second.wav", seconds=1).read_bytes())
    at = data.index(b"data")
    data[at + 4 : at + 8] = struct.pack("<I", 0xFFFF0000)
    data[4:8] = struct.pack("<I", 0xFFFF0024)
    path = folder / "long.wav"
    path.write_bytes(data)
    return path


def endless(folder: Path) -> Path:
    """Return a small file of which the second packet begins after days."""
    path = folder / "endless.mkv"
    ffmpeg(
        [
            "-f",
            "lavfi",
            "-i",
            "sine=440:duration=2",
            "-af",
            "asetpts='PTS+gt(T,1)*400000/TB'",
            "-c:a",
            "flac",
            str(path),
        ]
    )
    return path


def too_long(folder: Path) -> Path:
    """Return more than six hours of silence, in a few megabytes."""
    path = folder / "hours.flac"
    ffmpeg(["-f", "lavfi", "-i", "anullsrc=r=4000:cl=mono:d=21700", "-sample_fmt", "s16", str(path)])
    return path


def next_to_nothing(folder: Path) -> Path:
    """Return a video of four hours in some packets."""
    path = folder / "nothing.mkv"
    source = ["-f", "lavfi", "-i", "color=black:s=16x16:r=1/3600:d=14400"]
    ffmpeg([*source, "-c:v", "libx264", "-fps_mode", "passthrough", str(path)])
    return path


def many_streams(folder: Path, count: int = 600) -> Path:
    """Return a file with more streams than anybody has: subtitles by the hundred."""
    text = folder / "one.srt"
    text.write_text("1\n00:00:00,000 --> 00:00:02,000\nHello\n")
    path = folder / "streams.mkv"
    inputs = ["-i", str(tone(folder / "tone.wav")), "-i", str(text)]
    maps = [part for _ in range(count) for part in ("-map", "1")]
    ffmpeg([*inputs, "-map", "0", *maps, "-c:a", "flac", "-c:s", "srt", str(path)])
    return path


def huge_frames(folder: Path) -> Path:
    """Return a small video whose frames have 32 million pixels."""
    path = folder / "huge.mkv"
    source = ["-f", "lavfi", "-i", "color=black:s=8000x4000:r=1:d=1"]
    ffmpeg([*source, "-c:v", "png", str(path)])
    return path


def lies_about_frames(folder: Path) -> Path:
    """Return an AVI whose header says 32767 x 32767."""
    data = bytearray(video(folder / "small.avi").read_bytes())
    at = data.index(b"strf") + 8
    data[at + 4 : at + 12] = struct.pack("<ii", 32_767, 32_767)
    path = folder / "frames.avi"
    path.write_bytes(data)
    return path


def fuzzed(path: Path, seed: int) -> bytes:
    """Return a file with some of its bytes changed, cut or doubled."""
    rng = random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 4, 32, 256))):
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                data[at : at + 4] = struct.pack(">I", rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, rng.randrange(2**32))))
            case 2 if len(data) > 1_000:
                del data[at : at + rng.randrange(1, 200)]
            case _:
                data[at:at] = data[at : at + rng.randrange(1, 200)]
    # Its beginning stays, so that it comes as far as a demuxer.
    data[:12] = path.read_bytes()[:12]
    return bytes(data)
