"""Who may knock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier

from bots.slack.signature import TOLERANCE_S, BadSignature, verify

BODY = '{"text":"é"}'.encode()
NOW = 1_700_000_000.0


def signature(secret: str = "new", timestamp: str = "1700000000", body: bytes = BODY) -> str:
    signed = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body)
    assert signed is not None
    return signed


@pytest.mark.parametrize("secret", ["old", "new"])
@pytest.mark.parametrize("off", [-TOLERANCE_S, 0, TOLERANCE_S])
def test_slack_s_own_signature_is_accepted_under_both_secrets(secret: str, off: int) -> None:
    sent = str(int(NOW) + off)
    verify(BODY, timestamp=sent, signature=signature(secret, sent), secrets=["new", "old"], now=NOW)


@pytest.mark.parametrize(
    ("body", "timestamp", "sent"),
    [
        (BODY, "1700000000", ""),
        (BODY, "1700000000", signature()[3:]),
        (BODY, "1700000000", signature("other")),
        (BODY, "1700000000", signature().replace("v0=", "v1=")),
        (BODY, "1700000000", signature().upper()),
        (BODY, "1700000000", "v0=é\udcff"),
        (BODY + b" ", "1700000000", signature()),
        (BODY, "1700000001", signature()),
        (BODY, "1699999699", signature(timestamp="1699999699")),
        (BODY, "1700000301", signature(timestamp="1700000301")),
        (BODY, "", signature(timestamp="")),
        (BODY, "abc", signature(timestamp="abc")),
        (BODY, "1_700_000_000", signature()),
        (BODY, " 1700000000", signature()),
        (BODY, "١٧٠٠٠٠٠٠٠٠", signature()),
        (BODY, "9" * 5_000, signature()),
    ],
)
def test_anything_else_is_refused(body: bytes, timestamp: str, sent: str) -> None:
    with pytest.raises(BadSignature):
        verify(body, timestamp=timestamp, signature=sent, secrets=["new", "old"], now=NOW)


def test_without_a_secret_nobody_gets_in() -> None:
    with pytest.raises(BadSignature):
        verify(BODY, timestamp="1700000000", signature=signature(), secrets=[], now=NOW)


@given(st.binary(max_size=20), st.text(max_size=20), st.text(max_size=70))
def test_no_header_does_worse_than_a_refusal(body: bytes, timestamp: str, sent: str) -> None:
    with pytest.raises(BadSignature):
        verify(body, timestamp=timestamp, signature=sent, secrets=["new"], now=NOW)
