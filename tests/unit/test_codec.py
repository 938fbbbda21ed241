"""Payload encryption: nothing readable leaves, everything comes back, and a wrong key is named."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from infra.codec import ENCODING, KEY_ID, NONCE_SIZE_BYTES, EncryptionCodec, Keyring, PayloadTampered, UnknownPayloadKey
from infra.settings import Settings
from infra.temporal import data_converter

OLD, NEW = Keyring.generate("2026-01"), Keyring.generate("2026-02")
SECRET = "what the tenant asked"


def codec(*keys: str) -> EncryptionCodec:
    return EncryptionCodec(Keyring.parse(",".join(keys)))


def payload(data: bytes = SECRET.encode()) -> Payload:
    return Payload(metadata={"encoding": b"json/plain", "messageType": SECRET.encode()}, data=data)


@given(st.binary(max_size=2000), st.binary(max_size=50))
async def test_round_trip(data: bytes, metadata: bytes) -> None:
    original = Payload(metadata={"encoding": b"binary/plain", "note": metadata}, data=data)
    (sealed,) = await codec(NEW).encode([original])
    assert (await codec(NEW).decode([sealed])) == [original]


async def test_nothing_is_readable_and_no_two_are_alike() -> None:
    one, two = await codec(NEW).encode([payload(), payload()])
    assert SECRET.encode() not in one.SerializeToString()
    assert one.data != two.data
    assert one.data[:NONCE_SIZE_BYTES] != two.data[:NONCE_SIZE_BYTES]
    assert one.metadata["encoding"] == ENCODING
    assert one.metadata[KEY_ID] == b"2026-02"


async def test_rotation_reads_old_payloads_and_writes_new_ones() -> None:
    old = await codec(OLD).encode([payload()])
    rotated = codec(NEW, OLD)
    assert await rotated.decode(old) == [payload()]
    (new,) = await rotated.encode([payload()])
    assert new.metadata[KEY_ID] == b"2026-02"


async def test_unknown_key_is_named() -> None:
    sealed = await codec(OLD).encode([payload()])
    with pytest.raises(UnknownPayloadKey, match="2026-01"):
        await codec(NEW).decode(sealed)


async def test_key_id_is_authenticated() -> None:
    same_key = NEW.split(":")[1]
    (sealed,) = await codec(f"a:{same_key}").encode([payload()])
    sealed.metadata[KEY_ID] = b"b"
    with pytest.raises(PayloadTampered):
        await codec(f"a:{same_key}", f"b:{same_key}").decode([sealed])


@pytest.mark.parametrize("position", [0, NONCE_SIZE_BYTES, -1])
async def test_altered_payload_is_refused(position: int) -> None:
    (sealed,) = await codec(NEW).encode([payload()])
    data = bytearray(sealed.data)
    data[position] ^= 1
    with pytest.raises(PayloadTampered):
        await codec(NEW).decode([Payload(metadata=sealed.metadata, data=bytes(data))])


async def test_short_payload_is_refused() -> None:
    with pytest.raises(PayloadTampered):
        await codec(NEW).decode([Payload(metadata={"encoding": ENCODING, KEY_ID: b"2026-02"}, data=b"short")])


async def test_plain_payload_passes_through() -> None:
    """An operator's hand-typed signal is not encrypted."""
    assert await codec(NEW).decode([payload()]) == [payload()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no payload key"),
        ("id", "0 bytes"),
        ("id:!!", "not base64"),
        (f"id:{base64.b64encode(b'short').decode()}", "5 bytes"),
        pytest.param(f"{NEW},{NEW}", "stands twice", id="twice"),
        pytest.param(f"a b:{NEW.split(':')[1]}", "id must be", id="blank in the id"),
    ],
)
def test_unusable_keys_are_refused_without_showing_them(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        Keyring.parse(text)
    assert NEW.split(":")[1] not in str(refused.value)


class Asked(BaseModel):
    question: str


async def test_the_converter_encrypts_models_and_failures() -> None:
    converter = data_converter(Settings.model_validate({"payload_keys": NEW}))
    encoded = await converter.encode([Asked(question=SECRET)])
    assert SECRET.encode() not in encoded[0].SerializeToString()
    assert await converter.decode(encoded, [Asked]) == [Asked(question=SECRET)]

    failure = Failure()
    await converter.encode_failure(ApplicationError(SECRET, SECRET, type="Kind"), failure)
    assert SECRET.encode() not in failure.SerializeToString()
    assert str(await converter.decode_failure(failure)) == f"Kind: {SECRET}"


async def test_without_keys_payloads_stay_plain() -> None:
    converter = data_converter(Settings.model_validate({"payload_keys": None}))
    (encoded,) = await converter.encode([Asked(question="plain")])
    assert encoded.data == b'{"question":"plain"}'
