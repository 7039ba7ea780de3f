"""The vault: what it gives back, what it refuses, and where its keys come from."""

import base64
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.store.vault import (
    KEY_BYTES,
    KEY_FILE,
    Place,
    Sealed,
    Tampered,
    UnknownKey,
    UnusableKey,
    Vault,
    load_keys,
    parse_keys,
)

OLD, NEW = b"o" * KEY_BYTES, b"n" * KEY_BYTES
PLACE = Place("installs", "linear/acme", "access_token")
SECRET = "lin_oauth_0123456789"

secret_texts = st.text(max_size=200)
places = st.builds(Place, st.text(max_size=9), st.text(max_size=9), st.text(max_size=9))


def text_of(*keys: bytes) -> str:
    return ",".join(base64.b64encode(key).decode() for key in keys)


@given(secret_texts, places)
def test_what_was_sealed_is_opened(secret: str, place: Place) -> None:
    vault = Vault([NEW])
    assert vault.open(vault.seal(secret, place), place) == secret


@given(secret_texts, places, places)
def test_a_secret_moved_to_another_row_or_column_is_refused(secret: str, place: Place, other: Place) -> None:
    vault = Vault([NEW])
    sealed = vault.seal(secret, place)
    if other == place:
        assert vault.open(sealed, other) == secret
    else:
        with pytest.raises(Tampered):
            vault.open(sealed, other)


def test_places_that_read_alike_are_told_apart() -> None:
    vault = Vault([NEW])
    sealed = vault.seal(SECRET, Place("a", "b/c", "d"))
    with pytest.raises(Tampered):
        vault.open(sealed, Place("a", "b", "c/d"))


@given(st.data())
def test_a_changed_byte_is_refused(data: st.DataObject) -> None:
    vault = Vault([NEW])
    sealed = vault.seal(SECRET, PLACE)
    at = data.draw(st.integers(0, len(sealed.data) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = sealed.data[:at] + bytes([sealed.data[at] ^ flip]) + sealed.data[at + 1 :]
    with pytest.raises(Tampered):
        vault.open(Sealed(sealed.key_id, changed), PLACE)


@given(st.data())
def test_a_truncated_secret_is_refused(data: st.DataObject) -> None:
    vault = Vault([NEW])
    sealed = vault.seal(SECRET, PLACE)
    kept = data.draw(st.integers(0, len(sealed.data) - 1))
    with pytest.raises(Tampered):
        vault.open(Sealed(sealed.key_id, sealed.data[:kept]), PLACE)


def test_the_same_secret_looks_different_each_time() -> None:
    vault = Vault([NEW])
    assert vault.seal(SECRET, PLACE) != vault.seal(SECRET, PLACE)


def test_a_key_that_is_gone_is_named_and_the_secret_is_not() -> None:
    sealed = Vault([OLD]).seal(SECRET, PLACE)
    with pytest.raises(UnknownKey, match=sealed.key_id) as caught:
        Vault([NEW]).open(sealed, PLACE)
    assert SECRET not in str(caught.value)


def test_a_secret_that_claims_another_key_is_refused() -> None:
    vault = Vault([NEW, OLD])
    newest, old = vault.seal(SECRET, PLACE), Vault([OLD]).seal(SECRET, PLACE)
    with pytest.raises(Tampered):
        vault.open(Sealed(newest.key_id, old.data), PLACE)


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    sealed = Vault([OLD]).seal(SECRET, PLACE)
    both = Vault([NEW, OLD])
    assert both.open(sealed, PLACE) == SECRET
    assert both.seal(SECRET, PLACE).key_id == Vault([NEW]).seal(SECRET, PLACE).key_id != sealed.key_id


def test_reencrypting_makes_the_old_key_needless_and_is_done_once() -> None:
    both = Vault([NEW, OLD])
    moved = both.reencrypt(Vault([OLD]).seal(SECRET, PLACE), PLACE)
    assert Vault([NEW]).open(moved, PLACE) == SECRET
    assert both.reencrypt(moved, PLACE) is moved


@pytest.mark.parametrize("keys", [[], [b"short"], [NEW, b""]], ids=["none", "short", "second empty"])
def test_a_vault_needs_whole_keys(keys: list[bytes]) -> None:
    with pytest.raises(UnusableKey):
        Vault(keys)


def test_keys_are_read_newest_first() -> None:
    assert parse_keys(f" {text_of(NEW)} , {text_of(OLD)}\n", "the setting") == [NEW, OLD]


def test_keys_in_base64_for_urls_are_read_too() -> None:
    key = b"\xff\xfe" * (KEY_BYTES // 2)
    assert parse_keys(base64.urlsafe_b64encode(key).decode(), "the setting") == [key]


@pytest.mark.parametrize(
    "text", ["", ",", "hunter2hunter2", text_of(b"short"), f"{text_of(NEW)},", "ключ"], ids=repr
)
def test_what_is_no_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(UnusableKey) as caught:
        parse_keys(text, "the setting")
    assert str(caught.value) == ("the setting is not 32 bytes in base64 (make one: openssl rand -base64 32)")


def test_configured_keys_need_no_file(tmp_path: Path) -> None:
    assert load_keys(text_of(NEW, OLD), tmp_path) == [NEW, OLD]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("configured", [None, "", "  "], ids=repr)
def test_without_a_setting_a_private_file_is_made_once(tmp_path: Path, configured: str | None) -> None:
    folder = tmp_path / "not there yet"
    keys = load_keys(configured, folder)
    assert load_keys(configured, folder) == keys
    assert [len(key) for key in keys] == [KEY_BYTES]
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600


def test_two_folders_get_two_keys(tmp_path: Path) -> None:
    assert load_keys(None, tmp_path / "a") != load_keys(None, tmp_path / "b")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    load_keys(None, tmp_path)
    path = tmp_path / KEY_FILE
    path.chmod(mode)
    with pytest.raises(UnusableKey, match=f"{mode:04o}.*chmod 600"):
        load_keys(None, tmp_path)


def test_a_key_file_of_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / KEY_FILE
    path.touch(mode=0o600)
    with pytest.raises(UnusableKey, match=KEY_FILE):
        load_keys(None, tmp_path)
    assert path.read_bytes() == b""


def test_the_text_of_a_key_file_goes_on_in_the_settings(tmp_path: Path) -> None:
    sealed = Vault(load_keys(None, tmp_path)).seal(SECRET, PLACE)
    configured = f"{text_of(NEW)},{(tmp_path / KEY_FILE).read_text()}"
    assert Vault(load_keys(configured, tmp_path)).open(sealed, PLACE) == SECRET
