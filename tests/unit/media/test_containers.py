"""What may be opened is told by its first bytes; weights of voices name nothing but numbers."""

import io
import pickle
import zipfile

import pytest

from activities.media.campplus import graph
from activities.media.containers import container_of
from schema.errors import UnsupportedFormat

ID3 = b"ID3\x04\x00\x00" + bytes([0, 0, 0, 10]) + bytes(10)


@pytest.mark.parametrize(
    ("head", "name", "demuxer"),
    [
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "wav", "wav"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "avi", "avi"),
        (b"FORM\x00\x00\x00\x00AIFF", "aiff", "aiff"),
        (b"fLaC\x00\x00", "flac", "flac"),
        (b"OggS\x00\x02", "ogg", "ogg"),
        (b"\x1a\x45\xdf\xa3\x01\x00\x42\x82\x84webm", "webm", "matroska"),
        (b"\x1a\x45\xdf\xa3\x01\x00\x42\x82\x88matroska", "matroska", "matroska"),
        (b"\x00\x00\x00\x20ftypisom", "mp4", "mov"),
        (b"\x00\x00\x00\x14ftypqt  ", "mov", "mov"),
        (b"\x00\x00\x00\x08wide\x00\x00\x10\x00mdat", "mov", "mov"),
        (b"\xff\xfb\x90\x64", "mp3", "mp3"),
        (b"\xff\xf1\x50\x80", "aac", "aac"),
        (ID3 + b"\xff\xfb\x90\x64", "mp3", "mp3"),
        (ID3 + b"\xff\xf1\x50\x80", "aac", "aac"),
        (b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f", "mp3", "mp3"),
    ],
)
def test_formats_are_told_by_their_first_bytes(head: bytes, name: str, demuxer: str) -> None:
    found = container_of(head + bytes(64))
    assert (found.name, found.demuxer) == (name, demuxer)


@pytest.mark.parametrize(
    "head",
    [
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<?xml version='1.0'?><MPD></MPD>",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\n",
        b"RIFF\x00\x00\x00\x00RMID",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"\xff\xff\xff\xff",
        b"%PDF-1.7",
        b"",
        b"\x00",
    ],
)
def test_everything_else_is_refused(head: bytes) -> None:
    with pytest.raises(UnsupportedFormat, match="no recording that can be read"):
        container_of(head)


class _Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("executed",)


def test_weights_that_name_code_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"head.conv1.weight": _Evil()}))
    with pytest.raises(ValueError, match="these weights name builtins"):
        graph(file.getvalue())
    assert "executed" not in capsys.readouterr().out
