"""Who a call is made as, in types: what one kind of credential may not do cannot be written down.

Reviews, merges and everything else that people answer for take a `UserToken` and nothing else.
"""

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AppJwt:
    """The app as such: it finds installations, mints their tokens and reads its own deliveries."""

    token: str = field(repr=False)

    @property
    def key(self) -> str:
        """Names the bearer, not the token: whose limits the call counts against."""
        return "app"

    @property
    def authorization(self) -> str:
        return f"Bearer {self.token}"


@dataclass(frozen=True, slots=True)
class InstallationToken:
    """The app in one repository, with the rights it was minted for.

    Attributes:
        repository: "owner/name" as it was asked for.
        installation: Its number.
        expires_at: Aware; GitHub's word, an hour after minting.
    """

    token: str = field(repr=False)
    repository: str
    installation: int
    expires_at: datetime

    @property
    def key(self) -> str:
        return f"installation/{self.installation}"

    @property
    def authorization(self) -> str:
        return f"Bearer {self.token}"


@dataclass(frozen=True, slots=True)
class PersonalToken:
    """A personal access token in the settings, in place of an app: for pushing, opening and reading only.

    It cannot make check runs, which GitHub takes from apps alone. It is somebody's, but it never reviews or
    merges: nobody asked them.
    """

    token: str = field(repr=False)

    @property
    def key(self) -> str:
        return "personal"

    @property
    def authorization(self) -> str:
        return f"Bearer {self.token}"


@dataclass(frozen=True, slots=True)
class UserToken:
    """The app on behalf of one person who linked their account; `user_id` is the number of that account."""

    token: str = field(repr=False)
    user_id: int

    @property
    def key(self) -> str:
        return f"user/{self.user_id}"

    @property
    def authorization(self) -> str:
        return f"Bearer {self.token}"


@dataclass(frozen=True, slots=True)
class UnprovenToken:
    """A person's token before anybody asked GitHub whose it is; it serves for that question only."""

    token: str = field(repr=False)

    @property
    def key(self) -> str:
        return "unproven"

    @property
    def authorization(self) -> str:
        return f"Bearer {self.token}"


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """The app's OAuth half, which looks after the tokens it gave out."""

    client_id: str
    secret: str = field(repr=False)

    @property
    def key(self) -> str:
        return "client"

    @property
    def authorization(self) -> str:
        pair = f"{self.client_id}:{self.secret}".encode()
        return f"Basic {b64encode(pair).decode('ascii')}"


Service = InstallationToken | PersonalToken
"""The service as itself."""

Writer = InstallationToken | PersonalToken | UserToken
"""Whoever may open a pull request and read repositories."""

Credential = AppJwt | InstallationToken | PersonalToken | UserToken | UnprovenToken | ClientSecret


def only_user(credential: object) -> UserToken:
    """The same, if it is a `UserToken`: people's acts are done with their own authority.

    Raises:
        TypeError: It is anything else; a defect of ours, whatever the type checker was told.
    """
    if type(credential) is not UserToken:
        raise TypeError(f"only a person's own token may do this, not {type(credential).__name__}")
    return credential
