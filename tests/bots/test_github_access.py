"""GitHub's webhooks as they come in, go astray, come twice, and change what we may do."""

import hmac
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bots.github_access import KEPT, REDELIVERED_AT_ONCE, GitHubAccess, hint_of
from bots.settings import load
from core.errors import TryLater
from core.review.hints import Hint, Remark
from core.store.audit import AuditStore
from core.store.database import Database
from github import hints
from github.errors import Transient
from github.ingress import PATH
from github.model import App, Delivery
from tests.bots.test_app import CONFIGURED
from tests.core.store.fakes import opened

SECRET = "webhook secret"
SETTINGS = CONFIGURED | {"THREADLINE_GITHUB__TOKEN": "ghp_1", "THREADLINE_GITHUB__WEBHOOK_SECRET": SECRET}
COMMENT = {
    "action": "created",
    "repository": {"id": 1, "full_name": "acme/shop"},
    "issue": {"number": 87, "pull_request": {}},
    "comment": {"id": 5, "body": "@threadline use the old name", "user": {"id": 7, "login": "bob"}},
}
NOW = datetime.now(UTC)


@dataclass
class FakeApp:
    """What GitHub knows of its deliveries, and is asked for."""

    told: list[Delivery] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    since: list[datetime] = field(default_factory=list)
    forgotten: list[int] = field(default_factory=list)
    is_away: bool = False

    async def about(self) -> App:
        return App(id=1, slug="threadline")

    async def deliveries(self, since: datetime) -> tuple[Delivery, ...]:
        self.since.append(since)
        if self.is_away:
            raise Transient("away", maybe_done=False)
        return tuple(one for one in self.told if one.delivered_at >= since)

    async def redeliver(self, delivery: int) -> None:
        self.asked.append(delivery)

    def forget_installation(self, installation: int) -> None:
        self.forgotten.append(installation)


@dataclass
class Desk:
    """Heeds what it is told."""

    heeded: list[Hint] = field(default_factory=list)
    is_away: bool = False

    async def heed(self, hint: Hint) -> None:
        if self.is_away:
            raise TryLater("away")
        self.heeded.append(hint)


@dataclass
class Gate:
    access: GitHubAccess
    app: FakeApp
    desk: Desk
    database: Database
    client: TestClient[web.Request, web.Application]
    revoked: list[int]

    async def send(
        self, told: dict[str, Any], event: str = "issue_comment", delivery: str = "delivery-1"
    ) -> int:
        body = json.dumps(told).encode()
        headers = {
            "X-Hub-Signature-256": f"sha256={hmac.new(SECRET.encode(), body, sha256).hexdigest()}",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery,
        }
        async with self.client.post(PATH, data=body, headers=headers) as answer:
            return answer.status


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    async with opened(tmp_path) as database, httpx.AsyncClient() as http:
        access, app, desk, revoked = (
            GitHubAccess(load(SETTINGS, tmp_path), database, http),
            FakeApp(),
            Desk(),
            [],
        )
        access.app = app  # type: ignore[assignment]

        async def on_revoked(account: int) -> None:
            revoked.append(account)

        server = web.Application()
        server.add_routes(access.routes(desk, revoked=on_revoked))  # type: ignore[arg-type]
        async with TestClient(TestServer(server)) as client:
            yield Gate(access, app, desk, database, client, revoked)


def delivery(
    id: int, guid: str, *, status: int = 502, event: str = "issue_comment", ago_h: float = 1
) -> Delivery:
    return Delivery(
        id=id,
        guid=guid,
        delivered_at=NOW - timedelta(hours=ago_h),
        status_code=status,
        event=event,
        action="created",
    )


async def test_a_delivery_that_comes_again_is_heeded_once(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await gate.send(COMMENT), await gate.send(COMMENT)) == (200, 200)
    assert [one.remark.text for one in gate.desk.heeded if one.remark] == ["use the old name"]
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


async def test_the_same_delivery_with_another_body_is_an_alarm_and_suppresses_nothing(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    other = COMMENT | {"issue": {"number": 88, "pull_request": {}}}
    assert (await gate.send(COMMENT), await gate.send(other)) == (200, 200)
    assert [one.numbers for one in gate.desk.heeded] == [(87,), (88,)]
    (alarm,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert alarm.getMessage() == "github delivery came with another body"
    assert alarm.__dict__["delivery"] == "delivery-1"


async def test_what_cannot_be_heeded_now_comes_again(gate: Gate) -> None:
    gate.desk.is_away = True
    assert await gate.send(COMMENT) == 503
    gate.desk.is_away = False
    assert await gate.send(COMMENT) == 200
    assert len(gate.desk.heeded) == 1


@pytest.mark.parametrize(
    ("event", "action", "level"),
    [
        ("installation", "deleted", logging.WARNING),
        ("installation", "suspend", logging.WARNING),
        ("installation", "created", logging.INFO),
        ("installation_repositories", "removed", logging.WARNING),
        ("installation_repositories", "added", logging.INFO),
    ],
)
async def test_a_change_of_the_installation_is_logged_audited_and_ends_its_tokens(
    gate: Gate, event: str, action: str, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bots.github_access")
    place = f"repositories_{action}" if event == "installation_repositories" else "repositories"
    told = {
        "action": action,
        "installation": {"id": 5},
        "sender": {"id": 9, "login": "olga", "type": "User"},
        place: [{"id": 1, "full_name": "acme/shop"}],
    }
    assert (await gate.send(told, event), await gate.send(told, event)) == (200, 200)
    (line,) = caplog.records
    assert (line.getMessage(), line.levelno) == ("github installation changed", level)
    assert (line.__dict__["where"], line.__dict__["by"]) == (["acme/shop"], "olga")
    assert gate.app.forgotten == [5]
    (row,) = (await AuditStore(gate.database, now=lambda: 0.0).trail()).records
    assert (row.body["who"], row.body["name"], row.body["action"], row.body["repositories"]) == (
        "github:9",
        "olga",
        f"{event} {action}",
        ["acme/shop"],
    )


async def test_who_takes_our_rights_back_is_told_on(gate: Gate) -> None:
    told = {"action": "revoked", "sender": {"id": 7, "login": "bob"}}
    assert await gate.send(told, "github_app_authorization") == 200
    assert (gate.revoked, gate.desk.heeded) == ([7], [])


# What went astray.


async def test_what_was_sent_while_we_were_down_is_asked_for(gate: Gate) -> None:
    gate.app.told = [
        delivery(4, "ping", event="ping"),
        delivery(3, "arrived", status=200),
        delivery(2, "lost", ago_h=2),
        delivery(1, "long lost", ago_h=71),
    ]
    assert await gate.access.redeliver() == 2
    assert gate.app.asked == [1, 2]
    assert NOW - gate.app.since[0] <= KEPT
    assert await gate.access.redeliver() == 0


async def test_what_arrived_by_another_attempt_or_another_way_is_not(gate: Gate) -> None:
    await gate.send(COMMENT, delivery="known-to-us")
    gate.app.told = [delivery(3, "a", status=200), delivery(2, "a"), delivery(1, "known-to-us")]
    assert await gate.access.redeliver() == 0


async def test_while_github_does_not_tell_nothing_is_forgotten(gate: Gate) -> None:
    gate.app.told, gate.app.is_away = [delivery(1, "lost")], True
    assert await gate.access.redeliver() == 0
    gate.app.is_away = False
    assert await gate.access.redeliver() == 1
    assert gate.app.since[0] == gate.app.since[1]


async def test_many_are_asked_for_in_turns(gate: Gate) -> None:
    number = REDELIVERED_AT_ONCE + 5
    gate.app.told = [delivery(id, f"lost-{id}") for id in range(number, 0, -1)]
    assert await gate.access.redeliver() == REDELIVERED_AT_ONCE
    gate.app.told = [
        delivery(id, f"lost-{id}", status=200 if id <= 100 else 502) for id in range(number, 0, -1)
    ]
    assert await gate.access.redeliver() == 5
    assert gate.app.asked == list(range(1, number + 1))


# What a webhook means.

SAID = hints.Said(id=5, text="@threadline use the old name", author="bob", author_id=7)


def told(said: hints.Said | None = SAID, **more: Any) -> hints.Hint:
    values = {"event": "issue_comment", "action": "created", "repository": "acme/shop", "pulls": (87,)} | more
    return hints.Hint(delivery="d", digest="x", said=said, **values)


def remark_in(hint: hints.Hint, slug: str = "threadline") -> Remark | None:
    return hint_of(hint, slug).remark


def test_a_comment_that_names_the_app_is_said_to_it() -> None:
    remark = Remark(key="github/issue_comment/5", by="bob", by_id=7, text="use the old name")
    assert hint_of(told(branch="b"), "threadline") == Hint(
        repository="acme/shop", numbers=(87,), branch="b", remark=remark
    )


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("@Threadline[bot] go on", "go on"),
        ("please, @threadline", "please,"),
        ("@threadline-2 go on", None),
        ("mail@threadline go on", None),
        ("acme/@threadline go on", None),
        ("threadline go on", None),
        ("", None),
    ],
)
def test_only_its_own_name_names_it(text: str, heard: str | None) -> None:
    remark = remark_in(told(hints.Said(id=5, text=text)))
    assert (remark.text if remark else None) == heard


@pytest.mark.parametrize(
    "hint", [told(action="edited"), told(action="deleted"), told(None), told(hints.Said(id=5, text=" "))]
)
def test_what_is_not_said_anew_is_no_remark(hint: hints.Hint) -> None:
    assert remark_in(hint) is None


def test_a_remark_about_a_line_names_its_file_and_a_bots_is_marked() -> None:
    remark = remark_in(told(hints.Said(id=5, text="@threadline why", path="a.py", by_bot=True)))
    assert remark is not None
    assert (remark.text, remark.is_bot) == ("why (about a.py)", True)


def test_while_nobody_knows_our_name_nothing_is_said_to_us() -> None:
    assert remark_in(told(), slug="") is None
