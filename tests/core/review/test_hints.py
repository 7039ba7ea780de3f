"""What people write to us at the code host: handed on, answered there, or not for us; nothing is silent."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest

from core.activities import Author
from core.errors import TryLater
from core.events import Incoming, Said
from core.ids import SessionId
from core.pulls import Permission, PullRef
from core.review.hints import ELSEWHERE, STOPPING, Hint, Hints, Remark, meant
from tests.core.review.fakes import FACTS, HEAD, NOW, REF, TURN, Desk, FakeCodeHost, desk

BOB = Remark(key="github/issue_comment/1", by="bob", by_id=7, text="use the old name")


@dataclass
class Office:
    """Takes what is handed on; one comment below the pull request for each op."""

    desk: Desk
    host: FakeCodeHost
    woken: int = 0
    prompts: dict[str, Incoming] = field(default_factory=dict)
    answers: dict[str, tuple[PullRef, str]] = field(default_factory=dict)
    is_away: bool = False

    def __post_init__(self) -> None:
        self.hints = Hints(self.host, self, self.desk.pulls, accept=self.accept, reply=self.reply)  # type: ignore[arg-type]

    def wake(self) -> None:
        self.woken += 1

    async def accept(self, session: SessionId, incoming: Incoming) -> None:
        assert session == self.desk.session
        self.prompts[incoming.key] = incoming

    async def reply(self, pull: PullRef, body: str, op: str) -> None:
        if self.is_away:
            raise TryLater("away")
        self.answers[str(UUID(op))] = (pull, body)

    async def told(self, remark: Remark, *numbers: int) -> None:
        await self.hints.heed(Hint(repository="Acme/Shop", numbers=numbers or (87,), remark=remark))


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with desk(tmp_path) as made:
        await made.pulls.want(made.session, "acme/shop", "ann/eng-1", sha=HEAD, turn=TURN)
        await made.pulls.pushed(made.session, HEAD)
        await made.pulls.opened(made.session, REF)
        await made.pulls.show(made.session, FACTS, turn=TURN, steered_by=["Ann"], offer="")
        yield Office(made, FakeCodeHost(may={7: Permission.WRITE, 8: Permission.READ}))


def saying(text: str, **more: object) -> Remark:
    return Remark(**{"key": BOB.key, "by": "bob", "by_id": 7, "text": text, **more})  # type: ignore[arg-type]


async def test_words_for_the_agent_go_into_the_session_under_their_own_key(office: Office) -> None:
    await office.told(BOB)
    await office.told(BOB)
    author = Author("github", "7", "bob")
    said = Incoming(key=BOB.key, place="", event=Said("use the old name"), author=author)
    assert (office.prompts, office.answers) == ({BOB.key: said}, {})


@pytest.mark.parametrize(
    "text", ["status", "merge", "help", "approve", "why", "link github", "new: start over"]
)
async def test_a_command_is_answered_below_the_pull_request_once_and_not_obeyed(
    office: Office, text: str
) -> None:
    await office.told(saying(text))
    await office.told(saying(text))
    assert (office.prompts, list(office.answers.values())) == ({}, [(REF, ELSEWHERE)])


async def test_stop_counts_and_is_answered(office: Office) -> None:
    await office.told(saying("stop"))
    assert [one.event for one in office.prompts.values()] == [Said("stop")]
    assert list(office.answers.values()) == [(REF, STOPPING)]


async def test_while_the_code_host_takes_no_answer_the_hint_is_not_done(office: Office) -> None:
    office.is_away = True
    with pytest.raises(TryLater):
        await office.told(saying("status"))


@pytest.mark.parametrize(
    "remark", [saying("merge", by_id=8), saying("merge", by_id=9), saying("merge", is_bot=True)]
)
async def test_strangers_and_bots_get_neither_work_nor_words(office: Office, remark: Remark) -> None:
    await office.told(remark)
    assert (office.prompts, office.answers) == ({}, {})


async def test_what_is_about_no_pull_request_of_ours_is_left_alone(office: Office) -> None:
    await office.told(BOB, 88)
    assert (office.prompts, office.woken) == ({}, 0)


async def test_a_hint_makes_us_look_now(office: Office) -> None:
    await office.desk.pulls.look_later(office.desk.session, NOW + 300)
    await office.hints.heed(Hint(repository="acme/shop", branch="ann/eng-1"))
    assert office.woken == 1
    assert [one.session for one in await office.desk.pulls.due()] == [office.desk.session]


@pytest.mark.parametrize(
    ("text", "heard", "answered"),
    [
        ("please merge main", "please merge main", None),
        ("fix it", "About acme/shop#87: fix it", None),
        ("request changes: merge", "About acme/shop#87: request changes: merge", None),
        ("aside: he means well", None, None),
        ("Merge.", None, ELSEWHERE),
    ],
)
def test_what_is_for_the_agent_and_what_is_not(text: str, heard: str | None, answered: str | None) -> None:
    assert meant(text, REF) == (heard, answered)
