"""What must not leave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.redact import HIDDEN, Redactor

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\ndef\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("token xoxb-" + "1234567890-abcdef", f"token {HIDDEN}"),
        ("xapp-" + "1-A0001-abcdef", HIDDEN),
        ("lin_api_" + "a1b2c3d4e5f6g7h8", HIDDEN),
        ("lin_oauth_" + "a1b2c3d4e5f6g7h8", HIDDEN),
        ("ANTHROPIC_API_KEY=sk-ant-" + "api03-abc_def-ghi", f"ANTHROPIC_API_KEY={HIDDEN}"),
        ("ghp_" + "a" * 36, HIDDEN),
        ("gho_" + "a" * 36 + ",", f"{HIDDEN},"),
        ("ghs_" + "a" * 36, HIDDEN),
        ("ghs_" + "1234567_" + "a" * 200 + "." + "b-C_" * 60 + " end", f"{HIDDEN} end"),
        ("token=ghu_" + "a" * 30 + "-" + "b" * 30 + ";", f"token={HIDDEN};"),
        ("github_pat_" + "a1_" * 10, HIDDEN),
        ("id AKIA" + "ABCDEFGHIJKLMNOP end", f"id {HIDDEN} end"),
        (f"before\n{KEY}\nafter", f"before\n{HIDDEN}\nafter"),
        ("-----BEGIN PRIVATE KEY-----\ncut sh", HIDDEN),
        ("https://ann:pw@host/x.git", f"https://{HIDDEN}@host/x.git"),
        ("clone ssh://git@host/x", f"clone ssh://{HIDDEN}@host/x"),
        ("Authorization: Bearer abc.def-ghi=", f"Authorization: Bearer {HIDDEN}"),
    ],
)
def test_well_known_secrets_are_taken_out(text: str, expected: str) -> None:
    assert Redactor()(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The bearer of bad news.",
        "see https://host/path?a=b@c",
        "mail ann@acme.test",
        "ghp_short",
        "an AKIA word",
        "xox marks the spot",
        "a/b:c@d",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert Redactor()(text) == text


def test_known_values_are_taken_out_the_longest_first() -> None:
    redact = Redactor(["hunter22", "hunter22-and-more", "", "abc"])
    assert redact("abc hunter22-and-more hunter22") == f"abc {HIDDEN} {HIDDEN}"


@given(st.text(), st.text(min_size=6, max_size=20), st.text())
def test_a_known_secret_never_survives_and_twice_is_once(before: str, secret: str, after: str) -> None:
    redact = Redactor([secret])
    once = redact(before + secret + after)
    assert secret not in once or secret in HIDDEN
    assert Redactor()(Redactor()(once)) == Redactor()(once)
