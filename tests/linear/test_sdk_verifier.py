"""Linear's own webhook verifier, from its TypeScript SDK, as a second opinion on ours and on the stand-in."""

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from linear.errors import BadSignature
from linear.sansio import verify_signature, verify_webhook
from playground.linear import LinearPlayground, LinearSettings
from playground.linear_webhooks import sign
from tests.linear.fakes import PAYLOADS
from tests.npm import installed

SDK = Path(__file__).parent / "sdk"
SECRET = "lin_wh_secret ü"

Ask = Callable[..., str]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Asks the SDK one thing after the other."""
    with subprocess.Popen(
        ["node", "verify.mjs"], cwd=installed(SDK), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as node:
        stdin, stdout = node.stdin, node.stdout
        assert stdin is not None
        assert stdout is not None

        def ask(what: str, body: bytes, signature: str = "", *, timestamp: float | None = None) -> str:
            request = {"do": what, "secret": SECRET, "body": body.decode(), "signature": signature}
            print(json.dumps(request | {"timestamp": timestamp}), file=stdin, flush=True)
            return str(json.loads(stdout.readline()))

        yield ask
        stdin.close()


def payload_now(name: str, *, age: timedelta = timedelta(0)) -> tuple[bytes, float]:
    """A recorded delivery as if it was sent just now; the SDK looks at the machine's clock."""
    timestamp = (datetime.now(UTC) - age).timestamp() * 1000
    body = json.loads((PAYLOADS / f"{name}.json").read_text()) | {"webhookTimestamp": timestamp}
    return json.dumps(body).encode(), timestamp


async def test_what_the_stand_in_sends_is_accepted_and_anything_else_is_not(ask: Ask) -> None:
    settings = LinearSettings(webhook_url="http://127.0.0.1:9/", webhook_secret=SECRET)
    async with LinearPlayground(settings) as linear:
        linear.people.delegate(linear.people.create_issue("Search – ünïcode 🔎").identifier)
        await linear.settled()
        deliveries = list(linear.courier.deliveries)
    assert {one.type for one in deliveries} == {"Issue", "AgentSessionEvent"}
    for one in deliveries:
        signature, timestamp = one.headers["Linear-Signature"], int(one.headers["Linear-Timestamp"])
        assert ask("verify", one.body, signature, timestamp=timestamp) == "accepted"
        tampered = one.body.replace(b"Search", b"Delete")
        assert ask("verify", tampered, signature, timestamp=timestamp).startswith("refused")
        assert ask("verify", one.body, sign(one.body, "other"), timestamp=timestamp).startswith("refused")


@pytest.mark.parametrize("name", ["session_created", "session_prompted", "issue_undelegated", "app_revoked"])
def test_both_verifiers_agree_on_what_linears_sdk_would_sign(ask: Ask, name: str) -> None:
    body, timestamp = payload_now(name)
    signature = ask("sign", body)
    assert ask("verify", body, signature, timestamp=timestamp) == "accepted"
    verify_signature(body, signature=signature, secrets=["new", SECRET])


def test_only_ours_lets_a_redelivery_through(ask: Ask) -> None:
    age = timedelta(hours=1, minutes=1)
    body, timestamp = payload_now("session_created", age=age)
    signature, now = ask("sign", body), datetime.now(UTC)
    # The SDK allows a minute, and Linear repeats a delivery with the time of the first attempt.
    assert ask("verify", body, signature, timestamp=timestamp).startswith("refused")
    verify_webhook(body, signature=signature, secrets=[SECRET], sent_at=now - age, now=now)


@pytest.mark.parametrize("wrong", ["tampered", "upper case", "cut", "empty", "prefixed", "of another body"])
def test_both_verifiers_refuse_the_same_signatures(ask: Ask, wrong: str) -> None:
    body, timestamp = payload_now("session_created")
    good = ask("sign", body)
    signature = {
        "tampered": ("0" if good[0] != "0" else "1") + good[1:],
        "upper case": good.upper() + "zz",
        "cut": good[:-2],
        "empty": "",
        "prefixed": f"sha256={good}",
        "of another body": ask("sign", body + b" "),
    }[wrong]
    assert ask("verify", body, signature, timestamp=timestamp).startswith("refused")
    with pytest.raises(BadSignature):
        verify_signature(body, signature=signature, secrets=[SECRET])
