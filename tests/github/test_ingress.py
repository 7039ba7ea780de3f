"""GitHub's deliveries over HTTP: what is answered, and what is handed over."""

import asyncio
import hmac
import json
import logging
from collections.abc import AsyncIterator
from hashlib import sha256
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from core.errors import StoreUnavailable
from github.hints import Hint
from github.ingress import BODY_BYTES, PATH, github_webhooks

SECRETS = ["new secret", "old secret"]
DELIVERY = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
BODY = json.dumps({"action": "opened", "pull_request": {"number": 7}}).encode()

Client = TestClient[web.Request, web.Application]


class Taker:
    """Takes hints, unless told to fail."""

    def __init__(self) -> None:
        self.hints: list[Hint] = []
        self.trouble: Exception | None = None
        self.is_stuck = False

    async def __call__(self, hint: Hint) -> None:
        if self.trouble:
            raise self.trouble
        if self.is_stuck:
            await asyncio.Event().wait()
        self.hints.append(hint)


@pytest.fixture
def taker() -> Taker:
    return Taker()


@pytest.fixture
async def client(taker: Taker) -> AsyncIterator[Client]:
    app = web.Application()
    app.router.add_post(PATH, github_webhooks(taker, SECRETS))
    async with TestClient(TestServer(app)) as client:
        yield client


def headers_of(body: bytes = BODY, *, secret: str = SECRETS[0], **more: str) -> dict[str, str]:
    signed = hmac.new(secret.encode(), body, sha256).hexdigest()
    named = {
        "X-Hub-Signature-256": f"sha256={signed}",
        "X-GitHub-Event": "pull_request",
        "X-GitHub-Delivery": DELIVERY,
    }
    return named | {name.replace("_", "-"): value for name, value in more.items()}


@pytest.mark.parametrize("secret", SECRETS)
async def test_a_delivery_is_handed_over(client: Client, taker: Taker, secret: str) -> None:
    answer = await client.post(PATH, data=BODY, headers=headers_of(secret=secret))
    assert answer.status == 200
    assert [(hint.delivery, hint.event, hint.action, hint.pulls) for hint in taker.hints] == [
        (DELIVERY, "pull_request", "opened", (7,))
    ]


async def test_what_we_do_not_know_is_answered_and_logged(
    client: Client, taker: Taker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "github.ingress")
    answer = await client.post(PATH, data=BODY, headers=headers_of(X_GitHub_Event="planet"))
    assert (answer.status, taker.hints) == (200, [])
    assert [record.message for record in caplog.records] == ["github delivery ignored"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (BODY, headers_of(secret="other"), 401),
        (BODY, headers_of() | {"X-Hub-Signature-256": ""}, 401),
        (BODY + b" ", headers_of(), 401),
        (b"not json", headers_of(b"not json"), 400),
        (b"payload=%7B%7D", headers_of(b"payload=%7B%7D"), 400),
        (BODY, headers_of(X_GitHub_Event="no event!"), 400),
        (BODY, headers_of(X_GitHub_Delivery=""), 400),
    ],
)
async def test_what_is_not_believed_is_refused(
    client: Client, taker: Taker, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await client.post(PATH, data=body, headers=headers)
    assert (answer.status, taker.hints) == (status, [])


async def test_two_signatures_are_none(client: Client) -> None:
    headers = [*headers_of().items(), ("X-Hub-Signature-256", "sha256=" + "0" * 64)]
    async with aiohttp.ClientSession() as http:
        answer = await http.post(client.make_url(PATH), data=BODY, headers=headers)
    assert answer.status == 401


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // (1 << 16) + 1):
        yield b" " * (1 << 16)


@pytest.mark.parametrize("is_told", [True, False], ids=["told", "chunked"])
async def test_what_is_too_large_is_refused(client: Client, taker: Taker, is_told: bool) -> None:
    data: Any = BytesIO(b" " * (BODY_BYTES + 1)) if is_told else chunks(BODY_BYTES)
    answer = await client.post(PATH, data=data, headers=headers_of())
    assert (answer.status, taker.hints) == (413, [])


async def test_what_cannot_be_stored_is_not_confirmed(client: Client, taker: Taker) -> None:
    taker.trouble = StoreUnavailable("locked")
    answer = await client.post(PATH, data=BODY, headers=headers_of())
    assert answer.status == 503


async def test_what_takes_too_long_is_not_confirmed(taker: Taker) -> None:
    taker.is_stuck = True
    app = web.Application()
    app.router.add_post(PATH, github_webhooks(taker, SECRETS, within_s=0.01))
    async with TestClient(TestServer(app)) as client:
        answer = await client.post(PATH, data=BODY, headers=headers_of())
        assert answer.status == 503


async def test_no_secret_takes_nothing() -> None:
    taker = Taker()
    app = web.Application()
    app.router.add_post(PATH, github_webhooks(taker, []))
    async with TestClient(TestServer(app)) as client:
        answer = await client.post(PATH, data=BODY, headers=headers_of(secret=""))
        assert answer.status == 401
