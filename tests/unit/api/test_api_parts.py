"""The small parts: exact JSON, cursors, keys, fingerprints, file names, ids."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.deps import _form_of
from api.idempotency import effect_id, fingerprint
from api.paging import seal, unseal
from api.serialisation import encode, instant
from api.uploads import safe_name
from api.views.runs import pcr_to_credits
from schema.errors import InvalidRequest, NotFound
from schema.money import ucr_to_credits
from schema.store.api_keys import _checksum, parse_key
from schema.store.idempotency import Asked


def test_decimals_are_written_digit_for_digit() -> None:
    assert encode({"credits": Decimal("50.00")}) == '{"credits":50.00}'
    assert encode([ucr_to_credits(4_000), ucr_to_credits(10**18), pcr_to_credits(1)]) == (
        "[0.004,1000000000000.00,0.000000000001]"
    )


@given(st.integers(min_value=-(10**18), max_value=10**18))
def test_every_amount_comes_back_exactly(amount_ucr: int) -> None:
    read = json.loads(encode(ucr_to_credits(amount_ucr)), parse_float=Decimal)
    assert read * 1_000_000 == amount_ucr


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_json_is_what_pythons_encoder_writes(value: object) -> None:
    assert json.loads(encode(value)) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), object()])
def test_what_has_no_json_form_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode(value)


def test_instants_are_in_utc() -> None:
    there = datetime(2026, 1, 15, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    assert instant(there) == "2026-01-15T12:00:00Z"
    assert instant(datetime(2026, 1, 15, 12, 0, 0, 5, tzinfo=UTC)) == "2026-01-15T12:00:00.000005Z"


@given(st.from_regex(r"\A[\x20-\x7e]{1,80}\Z"))
def test_cursors_come_back(cursor: str) -> None:
    sealed = seal(cursor)
    assert sealed is not None
    assert unseal(sealed) == cursor


@given(st.text(max_size=60))
def test_invented_cursors_are_refused(token: str) -> None:
    with pytest.raises(InvalidRequest):
        unseal(token, r"run_[0-9a-f]{32}")


def test_a_fingerprint_is_of_what_is_said() -> None:
    assert fingerprint(b'{"a": 1, "b": 2}') == fingerprint(b'{"b":2,"a":1}')
    assert fingerprint(b"") == fingerprint(b"{}")
    assert fingerprint(b'{"a": 1}') != fingerprint(b'{"a": 2}')
    assert fingerprint(b"not json") != fingerprint(b"{}")


def test_an_effect_belongs_to_organisation_route_key_and_claim() -> None:
    made = {
        effect_id(org, Asked(route, key, "f"), datetime(2026, 1, day, tzinfo=UTC))
        for org in ("org_1", "org_2")
        for route in ("POST /a", "POST /b")
        for key in ("k", "l")
        for day in (1, 2)
    }
    assert len(made) == 16


def test_keys_are_checked_before_any_look_up() -> None:
    body = f"sk_{'0' * 32}_{'a' * 43}"
    good = f"{body}_{_checksum(body)}"
    parsed = parse_key(good)
    assert parsed is not None
    assert (parsed.key_id, parsed.secret) == ("key_" + "0" * 32, "a" * 43)
    assert parse_key(good[:-1] + ("0" if good[-1] != "0" else "1")) is None
    assert parse_key(good.replace("a", "b", 1)) is None
    for text in ("", "sk_", "sk_x_y_z", good + "\n", " " + good):
        assert parse_key(text) is None


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\y.pdf", "y.pdf"),
        ("a\x00b\r\n.md", "ab.md"),
        ("", "document"),
        ("..", "document"),
        ("x" * 400 + ".md", "x" * 252 + ".md"),
    ],
)
def test_file_names_are_only_names(given_name: str, kept: str) -> None:
    assert safe_name(given_name) == kept


def test_what_cannot_be_an_id_is_not_found() -> None:
    known = _form_of("run", "run")
    assert known("run_" + "0a" * 16) == "run_" + "0a" * 16
    for bad in ("run_1", "run_" + "0" * 33, "RUN_" + "0" * 32, "run_" + "0" * 31 + "\n", "doc_" + "0" * 32):
        with pytest.raises(NotFound):
            known(bad)
