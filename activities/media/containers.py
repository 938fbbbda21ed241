"""Which recordings are read, told by their first bytes: the format, and the one demuxer that may open it. Pure.

A name or a claimed type decides nothing. Playlists (HLS, DASH, concat, SDP) have no magic bytes and are in no row: what
could make a demuxer open another file or address is never asked for.
"""

from dataclasses import dataclass

from schema.errors import UnsupportedFormat

HEAD_BYTES = 4_096
READABLE = "wav, aiff, mp3, aac, flac, ogg (opus, vorbis), mp4, m4a, mov, matroska, webm and avi"

AUDIO_CODECS = frozenset(
    {"aac", "ac3", "adpcm_ima_wav", "adpcm_ms", "alac", "eac3", "flac", "libopus", "mp2", "mp3", "mp3float", "opus"}
    | {"pcm_alaw", "pcm_f32be", "pcm_f32le", "pcm_f64le", "pcm_mulaw", "pcm_s16be", "pcm_s16le", "pcm_s24be"}
    | {"pcm_s24le", "pcm_s32be", "pcm_s32le", "pcm_s8", "pcm_u8", "vorbis"}
)
VIDEO_CODECS = frozenset(
    {"av1", "dvvideo", "ffv1", "h263", "h264", "hevc", "libdav1d", "libvpx", "libvpx-vp9", "mjpeg", "mpeg1video"}
    | {"mpeg2video", "mpeg4", "msmpeg4v3", "png", "prores", "rawvideo", "theora", "vp8", "vp9"}
)
"""Decoders that may run, by ffmpeg's names: those in use, out of hundreds."""


@dataclass(frozen=True)
class Container:
    """A format of recordings."""

    name: str
    demuxer: str
    """ffmpeg's name of what opens it."""
    mime: str
    """Where it holds sound alone; with a picture `video_mime`."""
    video_mime: str = ""


WAV = Container("wav", "wav", "audio/wav")
AIFF = Container("aiff", "aiff", "audio/aiff")
MP3 = Container("mp3", "mp3", "audio/mpeg")
AAC = Container("aac", "aac", "audio/aac")
FLAC = Container("flac", "flac", "audio/flac")
OGG = Container("ogg", "ogg", "audio/ogg", "video/ogg")
MP4 = Container("mp4", "mov", "audio/mp4", "video/mp4")
QUICKTIME = Container("mov", "mov", "audio/mp4", "video/quicktime")
MATROSKA = Container("matroska", "matroska", "audio/x-matroska", "video/x-matroska")
WEBM = Container("webm", "matroska", "audio/webm", "video/webm")
AVI = Container("avi", "avi", "video/x-msvideo", "video/x-msvideo")
_QUICKTIME_ATOMS = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def container_of(head: bytes) -> Container:
    """Return the format of a recording by its first `HEAD_BYTES` bytes.

    Raises:
        UnsupportedFormat: it is no recording that is read.
    """
    found = _container_of(head)
    if found is None:
        raise UnsupportedFormat(
            f"This is no recording that can be read, whatever its name says: {READABLE} can. Convert it, or upload the "
            "recording itself and no playlist of it."
        )
    return found


def _container_of(head: bytes) -> Container | None:
    form = head[8:12]
    if head[:4] in (b"RIFF", b"RF64"):
        return {b"WAVE": WAV, b"AVI ": AVI}.get(form)
    if head[:4] == b"FORM" and form in (b"AIFF", b"AIFC"):
        return AIFF
    if head[:4] == b"fLaC":
        return FLAC
    if head[:4] == b"OggS":
        return OGG
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return WEBM if b"webm" in head[:64] else MATROSKA
    if head[4:8] == b"ftyp":
        return QUICKTIME if form == b"qt  " else MP4
    if head[4:8] in _QUICKTIME_ATOMS:
        return QUICKTIME
    if head[:3] == b"ID3":
        # ID3v2 stands before AAC too; the four bytes of its size have seven bits each.
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        return _mpeg_audio(head[10 + size :]) or MP3
    return _mpeg_audio(head)


def _mpeg_audio(head: bytes) -> Container | None:
    """Tell an MPEG audio frame by its sync word: ISO 13818-7 (ADTS) has layer 0, ISO 11172-3 one of three."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer, bit_rate, sample_rate = head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    if layer == 0:
        return AAC if head[1] & 0xF0 == 0xF0 and head[2] >> 2 & 0xF < 13 else None
    version = head[1] >> 3 & 3
    return MP3 if version != 1 and bit_rate not in (0, 15) and sample_rate != 3 else None
