"""Which keys a history names, and how lists of keys change."""

import pytest
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.history.v1 import HistoryEvent

from infra.codec import EncryptionCodec, Keyring
from infra.key_rotation import add, keys_named, promote, without


async def event_with(*key_ids: str) -> bytes:
    """Return an event whose input is encrypted by each key, as Temporal keeps it."""
    event = HistoryEvent()
    for key_id in key_ids:
        codec = EncryptionCodec(Keyring.parse(Keyring.generate(key_id)))
        encrypted = await codec.encode([Payload(metadata={"encoding": b"json/plain"}, data=b"{}")])
        event.workflow_execution_started_event_attributes.input.MergeFrom(Payloads(payloads=encrypted))
    return event.SerializeToString()


@pytest.mark.parametrize("length", range(1, 65))
async def test_an_id_of_any_length_is_found(length: int) -> None:
    """Its length is a byte before it, which may be a line's end (10, as of `embedded-1`) or a letter."""
    key_id = "k" * length
    assert keys_named(await event_with(key_id)) == {key_id}


async def test_every_key_of_an_event_is_found() -> None:
    assert keys_named(await event_with("embedded-1", "2026-11-28T173648", "embedded-1")) == {
        "embedded-1",
        "2026-11-28T173648",
    }
    assert keys_named(HistoryEvent().SerializeToString()) == set()


def test_a_rotation_of_the_list() -> None:
    """What is added decrypts only, what is promoted encrypts, and what encrypts is not retired."""
    first = Keyring.generate("embedded-1")
    added = add(first, "second")
    assert (Keyring.parse(added).newest, set(Keyring.parse(added).keys)) == ("embedded-1", {"embedded-1", "second"})
    promoted = promote(added)
    assert (Keyring.parse(promoted).newest, Keyring.parse(promoted).keys) == ("second", Keyring.parse(added).keys)
    assert Keyring.parse(promote(promoted, "embedded-1")).newest == "embedded-1"
    with pytest.raises(ValueError, match="promote another"):
        without(promoted, "second")
    with pytest.raises(ValueError, match="no key"):
        without(promoted, "third")
    assert list(Keyring.parse(without(promoted, "embedded-1")).keys) == ["second"]
