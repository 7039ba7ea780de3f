"""Every setting: the environment's variables, group by group, and the tables of the file."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StrictBool
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "THREADLINE_"
NESTED = "__"
# Marks every process of an agent's run, so also a Threadline that an agent starts to try it out.
NOT_OURS = frozenset({f"{PREFIX}AGENT"})

DATABASE = r"sqlite:///(?!:memory:).+|postgresql://.+"
OWNER_AND_NAME = r"[A-Za-z0-9_-][\w.-]*/[A-Za-z0-9_-][\w.-]*"
# The transports that `core.workspace` lets git use: others, like ext::, run commands.
GIT_URL = r"(?:(?:https|ssh|file)://|[\w.-]+@[\w.-]+:)\S+"
PLACE = r"(?:slack|teams):[^\s/]+/\S+"
GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# Where we can begin a thread ourselves; of Teams' channels, as its activities name them.
CHANNEL = rf"slack:T[A-Z0-9]+/[CG][A-Z0-9]+|teams:{GUID}/19:[^\s/;%]+@thread\.(?:tacv2|skype)"


def matching(pattern: str, message: str) -> AfterValidator:
    """The whole text must match `pattern`; `message` fits behind the key."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(message)
        return value

    return AfterValidator(check)


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address like https://example.com")
    return value


def _safe_address(value: str) -> str:
    parts = urlsplit(_web_address(value))
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
        raise ValueError("must begin with https://")
    return value


def _pem(value: SecretStr) -> SecretStr:
    """Variables seldom hold more than one line."""
    return SecretStr(value.get_secret_value().replace("\\n", "\n"))


def _split(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


Secret = SecretStr | None
Address = Annotated[str, AfterValidator(_web_address)]
_NO_SLASH = AfterValidator(lambda url: url.rstrip("/"))
Positive = Annotated[float, Field(gt=0)]
Whole = Annotated[int, Field(gt=0)]
Words = Annotated[tuple[str, ...], BeforeValidator(_split)]
SafeAddress = Annotated[str, AfterValidator(_safe_address)]
Guid = Annotated[
    str,
    AfterValidator(str.lower),
    matching(GUID, "must be an id like 8a7b6c5d-0000-4000-8000-1234567890ab"),
]


class Group(BaseModel):
    """Settings that are read together; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    def half_set(self) -> Iterator[tuple[str, str]]:
        """Fields that must be set because others are, and why."""
        yield from ()


class Slack(Group):
    """A Slack app: events over HTTP with a signing secret, or over Socket Mode with an app token."""

    bot_token: Secret = None
    signing_secret: Secret = None
    signing_secret_previous: Secret = None
    app_token: Secret = None
    api_url: Annotated[Address, AfterValidator(lambda url: url.rstrip("/") + "/")] = "https://slack.com/api/"

    @property
    def on(self) -> bool:
        return self.bot_token is not None

    def half_set(self) -> Iterator[tuple[str, str]]:
        if self.signing_secret_previous and not self.signing_secret:
            yield "signing_secret", "SIGNING_SECRET_PREVIOUS is only for the time of a change"
        elif self.on and not (self.signing_secret or self.app_token):
            yield "signing_secret", f"Slack events need it, or {PREFIX}SLACK__APP_TOKEN for Socket Mode"
        if (self.signing_secret or self.app_token) and not self.on:
            yield "bot_token", "Slack needs the bot token (xoxb-...) beside what is set"


class Teams(Group):
    """A Bot Framework app for Microsoft Teams; heard are its own tenant, `tenant_id`, and `tenants`."""

    app_id: Guid | None = None
    app_password: Secret = None
    tenant_id: Guid | None = None
    tenants: Annotated[tuple[Guid, ...], BeforeValidator(_split)] = ()
    openid_metadata_url: SafeAddress = "https://login.botframework.com/v1/.well-known/openidconfiguration"
    token_url: SafeAddress | None = None
    service_hosts: Words = ("smba.trafficmanager.net", "*.botframework.com")
    service_url: SafeAddress = "https://smba.trafficmanager.net/teams/"

    @property
    def on(self) -> bool:
        return None not in (self.app_id, self.app_password, self.tenant_id)

    @property
    def minted_at(self) -> str:
        """Where our own tokens come from."""
        return self.token_url or f"https://login.microsoftonline.com/{self.tenant_id}/oauth2/v2.0/token"

    def half_set(self) -> Iterator[tuple[str, str]]:
        named = ("app_id", "app_password", "tenant_id")
        if not self.on and any(getattr(self, name) for name in named):
            yield from ((name, "Teams needs all three") for name in named if not getattr(self, name))


class Linear(Group):
    """An OAuth app of one Linear workspace, or a token somebody else looks after."""

    client_id: str | None = None
    client_secret: Secret = None
    token: Secret = None
    webhook_secret: Secret = None
    webhook_secret_previous: Secret = None
    grant: Literal["client_credentials", "installed"] = "client_credentials"
    api_url: Address = "https://api.linear.app/graphql"
    authorize_url: Address = "https://linear.app/oauth/authorize"
    team: str | None = None
    app_name: str = "Threadline"

    @property
    def on(self) -> bool:
        return bool(self.token or (self.client_id and self.client_secret))

    def half_set(self) -> Iterator[tuple[str, str]]:
        if self.client_id and not self.client_secret:
            yield "client_secret", f"{PREFIX}LINEAR__CLIENT_ID needs it"
        elif self.client_secret and not self.client_id:
            yield "client_id", f"{PREFIX}LINEAR__CLIENT_SECRET needs it"
        elif self.webhook_secret and not self.on:
            yield "token", f"Linear needs it, or {PREFIX}LINEAR__CLIENT_ID and CLIENT_SECRET"
        if self.grant == "installed" and not self.client_id:
            yield "client_id", f"{PREFIX}LINEAR__GRANT=installed needs it"
        if self.webhook_secret_previous and not self.webhook_secret:
            yield "webhook_secret", "WEBHOOK_SECRET_PREVIOUS is only for the time of a change"


class GitHub(Group):
    """A GitHub App for pull requests; repositories without a `url` are cloned from `git_url`.

    A personal access token instead of the app is for trying out: it reviews nothing and makes no checks.
    `private_key` is the PEM file's text; in one line, with `\\n` for its line ends.
    """

    app_id: Annotated[str, matching(r"\d{1,19}", "must be the number of a GitHub App")] | None = None
    private_key: Annotated[SecretStr, AfterValidator(_pem)] | None = None
    client_id: str | None = None
    client_secret: Secret = None
    webhook_secret: Secret = None
    webhook_secret_previous: Secret = None
    token: Secret = None
    api_url: Address = "https://api.github.com"
    git_url: Annotated[
        str,
        matching(
            r"(?:https|ssh|file)://\S+|http://(?:127\.0\.0\.1|localhost)(?::\d+)?",
            "must be an address like https://github.com",
        ),
        _NO_SLASH,
    ] = "https://github.com"
    web_url: Annotated[Address, _NO_SLASH] | None = None

    @property
    def on(self) -> bool:
        return bool(self.token or (self.app_id and self.private_key))

    @property
    def is_linkable(self) -> bool:
        """Whether people can link their own accounts, and so act as themselves."""
        return bool(self.client_id and self.client_secret)

    @property
    def signed_in_at(self) -> str:
        """Where people sign in."""
        return self.web_url or (self.git_url if self.git_url.startswith("https:") else "https://github.com")

    def half_set(self) -> Iterator[tuple[str, str]]:
        for one, other in (("app_id", "private_key"), ("client_id", "client_secret")):
            if bool(getattr(self, one)) != bool(getattr(self, other)):
                given, missing = (one, other) if getattr(self, one) else (other, one)
                yield missing, f"{PREFIX}GITHUB__{given.upper()} needs it"
        if self.client_id and not self.app_id:
            yield "app_id", f"{PREFIX}GITHUB__CLIENT_ID belongs to a GitHub App"
        if self.webhook_secret_previous and not self.webhook_secret:
            yield "webhook_secret", "WEBHOOK_SECRET_PREVIOUS is only for the time of a change"


class Claude(Group):
    """The model and what one run may use. Without `base_url` and `model`, the agent's own defaults."""

    api_key: Secret = None
    base_url: Address | None = None
    model: str | None = None
    max_turns: Whole = 150
    max_budget_usd: Positive = 5.0

    @property
    def on(self) -> bool:
        return self.api_key is not None


class Run(Group):
    """Limits of the coding runs on this machine."""

    max_active: Whole = Field(default_factory=lambda: 2 * (os.cpu_count() or 1))
    sandbox: Literal["auto", "bwrap", "off"] = "auto"
    turn_timeout_s: Positive = 7200.0
    silence_timeout_s: Positive = 600.0


class Repository(Group):
    """One `[[repositories]]` of the file. `load` fills in `url`, so it is never empty afterwards."""

    name: Annotated[str, matching(OWNER_AND_NAME, 'must be "owner/name"')]
    url: Annotated[
        str, matching(GIT_URL, "must be an address like https://host/owner/name.git"), Field(repr=False)
    ] = ""
    base: Annotated[str, matching(r"[^\s-]\S*", "must be the name of a branch")] = "main"
    teams: tuple[str, ...] = ()
    channels: tuple[Annotated[str, matching(PLACE, 'must look like "slack:T0001/C0001"')], ...] = ()
    default: StrictBool = False
    independent_review: StrictBool = True
    fix: Literal["offer", "auto"] = "offer"
    author: Literal["requester", "bot"] = "requester"


class LinearTeam(Group):
    """One `[[teams]]` of the file: where sessions that begin in Linear are shown."""

    key: Annotated[str, matching(r"[A-Z][A-Z0-9]*", 'must be the key of a Linear team, like "ENG"')]
    channel: Annotated[
        str,
        matching(
            CHANNEL,
            'must be a channel like "slack:T0001/C0001" or "teams:<tenant id>/19:...@thread.tacv2"',
        ),
    ]

    @property
    def surface(self) -> str:
        return self.channel.partition(":")[0]

    @property
    def install(self) -> str:
        """The workspace or tenant."""
        return self.channel.partition(":")[2].partition("/")[0]


class People(Group):
    """The `[people]` of the file: who may start and steer work.

    `unlinked`: whoever we do not know in Linear is asked to "link", or "named" only; where nothing is said,
    they are asked if people can link their accounts here. `start`: "write" asks for write access to the
    repository, where it lives at a GitHub whose accounts people can link; "linear" does not.
    """

    unlinked: Literal["named", "link"] | None = None
    guests: Literal["read", "full"] = "read"
    start: Literal["write", "linear"] = "write"


FROM_FILE = frozenset({"repositories", "linear_teams", "people"})
"""Fields of `Settings` that no variable sets."""


class ConfigFile(Group):
    """`threadline.toml`."""

    repositories: tuple[Repository, ...] = ()
    teams: tuple[LinearTeam, ...] = ()
    people: People = People()


class Settings(BaseSettings):
    """Made by `load`: paths are absolute, no group is half set.

    Each path is a variable's name: `slack.bot_token` is THREADLINE_SLACK__BOT_TOKEN.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=NESTED,
        enable_decoding=False,  # No JSON in variables: lists are words with commas.
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,  # `load` fills in the `database_url` that is empty.
    )

    database_url: Annotated[
        str, matching(DATABASE, "must be sqlite:///path/to/file.db or postgresql://..."), Field(repr=False)
    ] = ""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    public_url: Annotated[Address, _NO_SLASH] | None = None
    data_dir: Path = Path("var")
    secret_keys: Secret = None
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)] = "INFO"
    config: Path | None = None
    slack: Slack = Slack()
    teams: Teams = Teams()
    linear: Linear = Linear()
    github: GitHub = GitHub()
    claude: Claude = Claude()
    run: Run = Run()
    repositories: tuple[Repository, ...] = ()
    linear_teams: tuple[LinearTeam, ...] = ()
    people: People = People()

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what it is made with: `load` is told the environment, it does not look around."""
        return (sources["init_settings"],)

    def secrets(self) -> list[str]:
        """Every secret value, for redaction: also the passwords inside of addresses."""
        addresses = [self.database_url, *(one.url for one in self.repositories)]
        passwords = [password for url in addresses if (password := urlsplit(url).password)]
        return [
            *(value.get_secret_value() for _, value in leaves(self) if isinstance(value, SecretStr)),
            *dict.fromkeys([*passwords, *map(unquote, passwords)]),
        ]


def leaves(group: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every single setting with its path."""
    for name, value in group:
        if isinstance(value, Group):
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), value


def variables() -> dict[str, tuple[str, ...]]:
    """Name of every environment variable that is read -> its path in `Settings`."""
    return {variable(path): path for path, _ in leaves(Settings()) if path[0] not in FROM_FILE}


def variable(path: Iterable[str | int]) -> str:
    """The environment variable of a setting."""
    return PREFIX + NESTED.join(str(part).upper() for part in path)
