"""The app's own token, and those that it mints for one repository at a time."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from github.app import CHECKS, PULLS, PUSH, READ, GitHubApp
from github.credentials import InstallationToken
from github.errors import Forbidden, Invalid, NotInstalled, Unauthorized
from github.manifest import PERMISSIONS
from tests.github.fakes import NOW, REPO, Clock, ScriptedGitHub, answer_of, ok, path_of, refused, wire_of

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
INSTALLATION = "/repos/acme/shop/installation"
MINT = "/app/installations/5/access_tokens"
LONG = "ghs_111_eyJhbGci.x-y" + "A-b_." * 100
DELIVERIES = "/app/hook/deliveries"


def app_of(github: Any, clock: Clock | None = None) -> GitHubApp:
    return GitHubApp(wire_of(github, clock), app_id="111", private_key=PEM)


class Minter:
    """Mints a new token each time; remembers for what."""

    def __init__(self) -> None:
        self.minted: list[dict[str, Any]] = []
        self.github = ScriptedGitHub(*[self.answer] * 200)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if path_of(request).endswith("/installation"):
            return ok("GET", INSTALLATION, id=5)
        self.minted.append(answer_of(httpx.Response(200, content=request.content)))
        token = f"{LONG}{len(self.minted)}"
        return ok("POST", MINT, 201, token=token, expires_at="2026-11-21T11:00:00Z")

    async def slowly(self, request: httpx.Request) -> httpx.Response:
        """Others get their turn before there is an answer."""
        await asyncio.sleep(0)
        return self.github(request)


def test_the_apps_token_is_as_github_asks() -> None:
    clock = Clock()
    token = app_of(ScriptedGitHub(), clock).jwt().token
    assert jwt.get_unverified_header(token)["alg"] == "RS256"
    claims = jwt.decode(
        token, PUBLIC, algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False}
    )
    now = int(clock.now().timestamp())
    assert claims == {"iss": "111", "iat": now - 60, "exp": now + 540}


@pytest.mark.parametrize("key", ["", "not a key", PEM[:200], "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END"])
def test_a_key_that_is_none_is_told_at_once_and_not_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="PEM") as refused_:
        GitHubApp(wire_of(ScriptedGitHub()), app_id="111", private_key=key)
    assert refused_.value.__cause__ is None
    assert refused_.value.__context__ is None


async def test_a_token_is_for_one_repository_and_no_more_rights_than_asked() -> None:
    minter = Minter()
    token = await app_of(minter.github).token(REPO, PUSH)
    assert token == InstallationToken(f"{LONG}1", REPO, 5, NOW + timedelta(hours=1))
    assert minter.minted == [
        {"repositories": ["shop"], "permissions": {"contents": "write", "metadata": "read"}}
    ]
    assert minter.github.asked == [f"GET {INSTALLATION}", f"POST {MINT}"]
    assert "ghs_" not in repr(token)


async def test_a_token_is_kept_for_fifty_minutes() -> None:
    clock, minter = Clock(), Minter()
    app = app_of(minter.github, clock)
    first = await app.token(REPO)
    clock.seconds += 49 * 60
    assert await app.token("ACME/Shop") == first
    clock.seconds += 61
    assert await app.token(REPO) != first
    assert len(minter.minted) == 2


async def test_other_rights_are_another_token() -> None:
    minter = Minter()
    app = app_of(minter.github)
    tokens = {(await app.token(REPO, rights)).token for rights in (READ, PUSH, PULLS, CHECKS, dict(READ))}
    assert len(tokens) == 4


async def test_however_many_ask_one_token_is_minted() -> None:
    minter = Minter()
    app = app_of(minter.slowly)
    tokens = await asyncio.gather(*(app.token(REPO) for _ in range(50)))
    assert len(set(tokens)) == len(minter.minted) == 1


async def test_one_who_gives_up_does_not_take_it_from_the_others() -> None:
    minter = Minter()
    app = app_of(minter.slowly)
    impatient = asyncio.ensure_future(app.token(REPO))
    waiting = asyncio.ensure_future(app.token(REPO))
    await asyncio.sleep(0)
    assert impatient.cancel()
    assert (await waiting).installation == 5


async def test_a_token_that_github_refuses_is_replaced_once() -> None:
    minter = Minter()
    app, used = app_of(minter.github), []

    async def act(token: InstallationToken) -> str:
        used.append(token.token)
        if len(used) == 1:
            raise Unauthorized("token refused")
        return "done"

    assert await app.acting(REPO, PULLS, act) == "done"
    assert used == [f"{LONG}1", f"{LONG}2"]
    assert (await app.token(REPO, PULLS)).token == f"{LONG}2"


async def test_a_second_refusal_is_raised() -> None:
    async def act(_: InstallationToken) -> str:
        raise Unauthorized("token refused")

    with pytest.raises(Unauthorized):
        await app_of(Minter().github).acting(REPO, PULLS, act)


async def test_where_the_app_is_not_installed_it_says_so() -> None:
    with pytest.raises(NotInstalled):
        await app_of(ScriptedGitHub(refused(404))).token(REPO)


async def test_rights_that_were_not_granted_are_told() -> None:
    github = ScriptedGitHub(ok("GET", INSTALLATION, id=5), refused(422, "The permissions requested"))
    with pytest.raises(Invalid, match="permissions"):
        await app_of(github).token(REPO, CHECKS)


@pytest.mark.parametrize(
    ("granted", "asked"),
    [
        ({"contents": "write", "metadata": "read"}, {"contents": "write", "metadata": "read"}),
        ({"contents": "write"}, {"contents": "write"}),
        (
            {"contents": "write", "metadata": "write", "more": "admin"},
            {"contents": "write", "metadata": "read"},
        ),
    ],
)
async def test_a_right_to_read_that_was_not_granted_is_left_out(
    granted: dict[str, str], asked: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    minted = ok("POST", MINT, 201, token=LONG, expires_at="2026-11-21T11:00:00Z")
    github = ScriptedGitHub(ok("GET", INSTALLATION, id=5, permissions=granted), minted)
    await app_of(github).token(REPO, PUSH)
    assert github.bodies[1]["permissions"] == asked
    assert bool(caplog.records) is (asked != {**PUSH})


@pytest.mark.parametrize("granted", [{"metadata": "read"}, {"metadata": "read", "contents": "read"}])
async def test_a_right_to_write_that_was_not_granted_is_told(granted: dict[str, str]) -> None:
    github = ScriptedGitHub(ok("GET", INSTALLATION, id=5, permissions=granted))
    with pytest.raises(Forbidden, match="contents"):
        await app_of(github).token(REPO, PUSH)


async def test_a_token_is_given_out_for_the_name_of_today() -> None:
    granted = {name: level for rights in (READ, PUSH) for name, level in rights.items()}
    unknown = refused(422, "There is at least one repository that does not exist or is not accessible")
    minted = ok("POST", MINT, 201, token=LONG, expires_at="2026-11-21T11:00:00Z")
    github = ScriptedGitHub(
        ok("GET", INSTALLATION, id=5, permissions=granted),
        unknown,
        minted,
        ok("GET", "/repos/acme/shop", full_name="acme/store"),
        minted,
    )
    assert (await app_of(github).token(REPO, PUSH)).repository == REPO
    assert github.is_done
    names = [body and body.get("repositories") for body in github.bodies]
    assert names == [None, ["shop"], None, None, ["store"]]
    assert github.bodies[2] == {"permissions": {"metadata": "read"}}


async def test_a_suspended_installation_is_told() -> None:
    github = ScriptedGitHub(
        ok("GET", INSTALLATION, id=5), refused(403, "This installation has been suspended")
    )
    with pytest.raises(Forbidden, match="suspended"):
        await app_of(github).token(REPO)


@pytest.mark.parametrize("rights", [READ, PUSH, PULLS, CHECKS])
def test_what_is_asked_for_is_what_the_manifest_asks_for(rights: dict[str, str]) -> None:
    for name, level in rights.items():
        assert PERMISSIONS[name] in {level, "write"}


async def test_the_app_knows_its_name() -> None:
    about = await app_of(ScriptedGitHub(ok("GET", "/app", id=111, slug="threadline"))).about()
    assert (about.id, about.slug) == (111, "threadline")


def delivered(id: int, minutes_ago: int, status: int = 502) -> dict[str, Any]:
    at = (NOW - timedelta(minutes=minutes_ago)).isoformat().replace("+00:00", "Z")
    (made,) = ok("GET", DELIVERIES, id=id, guid=f"guid-{id}", delivered_at=at, status_code=status).json()
    return dict(made)


async def test_deliveries_are_read_back_to_a_moment() -> None:
    more = {"Link": '<https://api.github.test/app/hook/deliveries?cursor=v1_2>; rel="next"'}
    github = ScriptedGitHub(
        httpx.Response(200, json=[delivered(1, 1, 200), delivered(2, 5)], headers=more),
        httpx.Response(200, json=[delivered(3, 9), delivered(4, 20)], headers=more),
    )
    found = await app_of(github).deliveries(NOW - timedelta(minutes=10))
    assert [(one.id, one.guid, one.arrived) for one in found] == [
        (1, "guid-1", True),
        (2, "guid-2", False),
        (3, "guid-3", False),
    ]
    assert dict(github.requests[1].url.params)["cursor"] == "v1_2"
    assert github.is_done


async def test_a_delivery_is_asked_for_again() -> None:
    github = ScriptedGitHub(httpx.Response(202, json={}))
    await app_of(github).redeliver(3)
    assert github.asked == ["POST /app/hook/deliveries/3/attempts"]
