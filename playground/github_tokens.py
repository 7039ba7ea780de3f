"""Who calls the GitHub stand-in: the app, an installation of it, a person through it, or a personal token."""

import base64
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Final, Literal

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from playground.github_state import Account, Repository, World

Kind = Literal["app", "installation", "user", "personal"]

INSTALLATION_S: Final = 3600
USER_S: Final = 8 * 3600
REFRESH_S: Final = 15_897_600
LEVELS: Final = {"read": 1, "write": 2}


@dataclass(slots=True, eq=False)
class Credential:
    """A token that was given out.

    Attributes:
        account: Whom it acts as: a person, or the app's bot.
        repositories: Numbers of those that it reaches; None for all that the account does.
        rights: "contents" -> "write", as asked for; None for all of the app's.
    """

    kind: Kind
    account: Account
    repositories: frozenset[int] | None = None
    rights: Mapping[str, str] | None = None
    expires_at: float = 0.0

    @property
    def name(self) -> str:
        """For transcripts: "user:eve", "installation", "app", "personal:eve"."""
        return f"{self.kind}:{self.account.login}" if self.kind in ("user", "personal") else self.kind


@dataclass(slots=True, eq=False)
class Grant:
    """What somebody agreed to at the authorize page, until it is exchanged."""

    account: Account
    challenge: str
    redirect_uri: str


@dataclass(slots=True)
class AppIdentity:
    """Our app as GitHub knows it. `private_key` is what its owner downloaded."""

    id: int = 4242
    slug: str = "threadline"
    client_id: str = "Iv1.threadline"
    client_secret: str = "github-client-secret"
    webhook_secret: str = "github-webhook-secret"
    installation: int = 77
    rights: Mapping[str, str] = field(
        default_factory=lambda: {
            "actions": "read",
            "checks": "write",
            "contents": "write",
            "merge_queues": "read",
            "metadata": "read",
            "pull_requests": "write",
            "statuses": "read",
        }
    )
    events: frozenset[str] = frozenset(
        {
            "check_run",
            "check_suite",
            "issue_comment",
            "member",
            "merge_group",
            "pull_request",
            "pull_request_review",
            "pull_request_review_comment",
            "pull_request_review_thread",
            "repository",
            "status",
            "workflow_run",
        }
    )
    is_installed: bool = True
    is_suspended: bool = False
    private_key: str = ""
    public_key: str = ""

    def __post_init__(self) -> None:
        self.private_key, self.public_key = _keys()


@cache
def _keys() -> tuple[str, str]:
    """A pair in PEM; making one takes a while, so all stand-ins of a process have the same."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


class Tokens:
    """Gives out tokens and says whose they are. `ahead_s` moves its clock on."""

    def __init__(
        self, world: World, app: AppIdentity, bot: Account, now: Callable[[], float] = time.time
    ) -> None:
        self._world = world
        self._app = app
        self._bot = bot
        self._now = now
        self.ahead_s = 0.0
        self._given: dict[str, Credential] = {}
        self._refresh: dict[str, tuple[Account, float]] = {}
        self._codes: dict[str, Grant] = {}
        self.refreshed = 0

    def now(self) -> float:
        return self._now() + self.ahead_s

    def personal(self, account: Account, token: str) -> str:
        """A personal access token with that text."""
        self._given[token] = Credential("personal", account, expires_at=self.now() + 1e9)
        return token

    def whose(self, header: str) -> Credential | None:
        """Who sent `Authorization: <header>`; None for nobody we know."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() == "basic":
            try:
                token = base64.b64decode(token).decode().partition(":")[2]
            except ValueError:
                return None
        elif scheme.lower() not in ("bearer", "token"):
            return None
        if token.count(".") == 2 and token.startswith("ey"):
            return self._app_of(token)
        known = self._given.get(token)
        return known if known and known.expires_at > self.now() else None

    def of_app(self) -> Credential:
        return Credential("app", self._bot)

    def _app_of(self, token: str) -> Credential | None:
        try:
            claims = jwt.decode(
                token, self._app.public_key, algorithms=["RS256"], options={"verify_aud": False}
            )
        except jwt.PyJWTError:
            return None
        if not {"exp", "iat"} <= claims.keys():
            return None
        lasts = claims["exp"] - claims["iat"]
        if str(claims.get("iss")) not in (str(self._app.id), self._app.client_id) or lasts > 600:
            return None
        return self.of_app()

    def install(self, repositories: list[Repository] | None, rights: Mapping[str, str]) -> str:
        """An installation token: a JWT behind the number of the app, about 520 characters."""
        text = f"ghs_{secrets.token_hex(18)}" if self._world.switches.short_tokens else self._signed()
        reach = None if repositories is None else frozenset(one.id for one in repositories)
        self._given[text] = Credential("installation", self._bot, reach, rights, self.now() + INSTALLATION_S)
        return text

    def _signed(self) -> str:
        claims = {
            "iss": "github.test",
            "sub": f"installation:{self._app.installation}",
            "exp": int(self.now()) + INSTALLATION_S,
            "jti": secrets.token_urlsafe(175),
        }
        return f"ghs_{self._app.id}_{jwt.encode(claims, secrets.token_bytes(32), algorithm='HS256')}"

    def excess(self, rights: Mapping[str, str]) -> list[str]:
        """Rights that the app does not have itself."""
        return [
            name
            for name, level in rights.items()
            if LEVELS.get(level, 9) > LEVELS.get(self._app.rights.get(name, ""), 0)
        ]

    def agree(self, account: Account, *, challenge: str, redirect_uri: str) -> str:
        """Somebody pressed Authorize; the code."""
        code = secrets.token_hex(10)
        self._codes[code] = Grant(account, challenge, redirect_uri)
        return code

    def exchange(self, code: str, verifier: str, redirect_uri: str) -> dict[str, object] | None:
        """The pair of tokens for a code; a code counts once."""
        grant = self._codes.pop(code, None)
        digest = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if grant is None or digest != grant.challenge or redirect_uri != grant.redirect_uri:
            return None
        return self.pair(grant.account)

    def refresh(self, token: str) -> dict[str, object] | None:
        """A new pair; the old refresh token is used up."""
        account, ends = self._refresh.pop(token, (None, 0.0))
        if account is None or ends < self.now():
            return None
        self.refreshed += 1
        return self.pair(account)

    def pair(self, account: Account) -> dict[str, object]:
        access, refresh = f"ghu_{secrets.token_hex(18)}", f"ghr_{secrets.token_hex(38)}"
        self._given[access] = Credential("user", account, rights=None, expires_at=self.now() + USER_S)
        self._refresh[refresh] = (account, self.now() + REFRESH_S)
        return {
            "access_token": access,
            "expires_in": USER_S,
            "refresh_token": refresh,
            "refresh_token_expires_in": REFRESH_S,
            "scope": "",
            "token_type": "bearer",
        }

    def revoke(self, account: Account) -> None:
        """Everything that this person gave the app ends."""
        self._given = {
            text: one
            for text, one in self._given.items()
            if not (one.kind == "user" and one.account is account)
        }
        self._refresh = {text: one for text, one in self._refresh.items() if one[0] is not account}

    def end(self, text: str) -> Account | None:
        """Whose token that was; their whole grant ends."""
        known = self._given.get(text)
        if known is None or known.kind != "user":
            return None
        self.revoke(known.account)
        return known.account

    def uninstall(self) -> None:
        """Nothing that the installation was given counts any more."""
        self._given = {text: one for text, one in self._given.items() if one.kind != "installation"}

    def lives(self, text: str) -> Credential | None:
        known = self._given.get(text)
        return known if known and known.expires_at > self.now() else None
