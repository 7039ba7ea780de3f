"""What people send us in Teams is read from Microsoft's hosts, and our token goes where it belongs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from bots.teams.files import TeamsFiles
from bots.teams.inbound import files_of
from bots.teams.tokens import BotToken
from bots.teams.wire import Activity
from core.events import Attachment, File, Image, TextFile, UnseenFile
from core.files import FILE_BYTES, FILES_AT_MOST
from playground.slack_clock import VirtualClock
from playground.teams import TeamsPlayground
from playground.teams_faults import Fault
from playground.teams_files import LINK_LIVES_S
from playground.teams_seed import acme
from tests.bots.teams.conftest import LOOPBACK

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
HOME = acme().conversation("a:ann")


@pytest.fixture
def files(http: aiohttp.ClientSession, token: BotToken) -> TeamsFiles:
    return TeamsFiles(http, token, service_hosts=LOOPBACK)


def sent(teams: TeamsPlayground, *, log: bytes = b"boom", shot: bytes = PNG) -> tuple[Attachment, ...]:
    """A file and a pasted picture, as our side reads them from the activity."""
    attachments, _ = teams.files.share(HOME, {"error.log": log}, {"shot.png": shot})
    return files_of(
        Activity.model_validate(
            {
                "type": "message",
                "from": {"id": "29:ann"},
                "recipient": {"id": "28:us"},
                "conversation": {"id": HOME.id, "conversationType": "personal"},
                "attachments": attachments,
            }
        )
    )


async def test_files_and_pictures_are_read(teams: TeamsPlayground, files: TeamsFiles) -> None:
    assert await files.read(sent(teams)) == [
        TextFile("error.log", "boom"),
        Image("image", "image/png", PNG),
    ]
    assert teams.files.leaks == 0  # The signed link needs no token, and gets none.


async def test_a_token_that_ended_is_replaced_once(teams: TeamsPlayground, files: TeamsFiles) -> None:
    teams.api.faults.fail_next("image", Fault(status=401))
    picture = sent(teams)[1:]
    assert await files.read(picture) == [Image("image", "image/png", PNG)]
    teams.api.faults.fail_next("image", Fault(status=401), times=2)
    assert await files.read(picture) == [UnseenFile("image", "Teams does not let me read it")]


async def test_a_link_that_ran_out_is_said_to_have(teams: TeamsPlayground, files: TeamsFiles) -> None:
    assert isinstance(teams.clock, VirtualClock)
    links = sent(teams)
    teams.clock.advance(LINK_LIVES_S)
    assert (await files.read(links))[0] == UnseenFile("error.log", "its link has run out")


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault(status=503), "Teams answered 503"),
        (Fault(drop="before"), "Teams did not send it"),
    ],
    ids=["down", "lost"],
)
async def test_what_does_not_come_says_why(
    teams: TeamsPlayground, files: TeamsFiles, fault: Fault, why: str
) -> None:
    teams.api.faults.fail_next("file", fault, times=2)  # What breaks is asked for once more.
    assert (await files.read(sent(teams)))[0] == UnseenFile("error.log", why)


async def test_files_keep_their_limits(teams: TeamsPlayground, files: TeamsFiles) -> None:
    links = sent(teams, log=b"x" * (FILE_BYTES + 1))
    assert (await files.read(links))[0] == UnseenFile("error.log", "it is too large")
    many = await files.read(sent(teams)[:1] * (FILES_AT_MOST + 1))
    assert many[-1] == UnseenFile("error.log", f"only the first {FILES_AT_MOST} files are read")


async def test_what_takes_too_long_is_left(
    teams: TeamsPlayground, http: aiohttp.ClientSession, token: BotToken
) -> None:
    hurried = TeamsFiles(http, token, service_hosts=LOOPBACK, within_s=0.0)
    assert [one.name for one in await hurried.read(sent(teams)) if isinstance(one, UnseenFile)] == [
        "error.log",
        "image",
    ]


# Where files may lie.


@dataclass
class Host:
    """Sends on, and remembers who came with a token."""

    port: int = 0
    target: str = ""
    tokens: list[str | None] = field(default_factory=list)

    def url(self, path: str, name: str = "127.0.0.1") -> str:
        return f"http://{name}:{self.port}/{path}"

    async def answer(self, request: web.Request) -> web.Response:
        self.tokens.append(request.headers.get("Authorization"))
        if request.path == "/there":
            return web.Response(body=b"moved")
        raise web.HTTPFound(self.target)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    host, application = Host(), web.Application()
    application.router.add_get("/{path:.*}", host.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host.port = runner.addresses[0][1]
    yield host
    await runner.cleanup()


async def one(files: TeamsFiles, url: str) -> File:
    (file,) = await files.read([Attachment("a", "text/plain", url)])
    return file


async def test_a_redirect_is_followed_among_hosts_of_teams_without_the_token(
    host: Host, files: TeamsFiles
) -> None:
    host.target = "/there"
    assert await one(files, host.url("here")) == TextFile("a", "moved")
    assert host.tokens == [None, None]
    host.target = "/here"
    assert await one(files, host.url("here")) == UnseenFile("a", "it is nowhere to be found")
    host.target = "https://evil.test/there"
    assert await one(files, host.url("here")) == UnseenFile("a", "it lies at an address that I do not trust")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/error.log",
        "http://acme.sharepoint.com/error.log",
        "https://sharepoint.com.evil.test/error.log",
        "https://acme.sharepoint.com@evil.test/error.log",
        "https://evil.test\\@acme.sharepoint.com/error.log",
        "https://acme.sharepoint.com:8443/error.log",
        "file:///etc/passwd",
        "//[",
    ],
)
async def test_nobody_else_is_asked(files: TeamsFiles, url: str) -> None:
    file = await one(files, url)
    assert isinstance(file, UnseenFile)
    assert file.why in ("it lies at an address that I do not trust", "Teams did not send it")


async def test_the_token_goes_to_no_picture_elsewhere(
    teams: TeamsPlayground, host: Host, http: aiohttp.ClientSession, token: BotToken
) -> None:
    strict = TeamsFiles(http, token, service_hosts=["smba.trafficmanager.net"])
    file = await one(strict, host.url("v3/attachments/1/views/original"))
    assert file == UnseenFile("a", "it lies at an address that I do not trust")
    assert (host.tokens, teams.api.calls["token"]) == ([], 0)
