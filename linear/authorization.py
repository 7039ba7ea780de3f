"""The addresses of an install: where people are sent to approve the app, and where they come back. Pure."""

import base64
from hashlib import sha256
from typing import Final
from urllib.parse import urlencode, urlsplit

AUTHORIZE_URL: Final = "https://linear.app/oauth/authorize"
INSTALL_PATH: Final = "/oauth/linear/install"
CALLBACK_PATH: Final = "/oauth/linear/callback"
LINK_PATH: Final = "/oauth/linear/link"
LINK_CALLBACK_PATH: Final = "/oauth/linear/link/callback"
SCOPES: Final = ("read", "write", "issues:create", "comments:create", "app:assignable", "app:mentionable")
"""Everything the service does; the last two make it somebody to delegate to and to mention."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def callback_url(public_url: str, path: str = CALLBACK_PATH) -> str:
    """Where Linear sends people back to; the OAuth app must list exactly this.

    Args:
        public_url: Address of this server as browsers reach it, without a path: "https://bot.acme.test".

    Raises:
        ValueError: Not https (plain http is for loopback hosts only: a code must not travel in the clear).
    """
    parts = urlsplit(public_url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not is_safe or not parts.netloc or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("Linear can be installed only over an https address without a path")
    return f"{parts.scheme}://{parts.netloc}{path}"


def install_url(public_url: str, setup: str) -> str:
    """The link that begins an install, with its setup ticket."""
    return f"{public_url.rstrip('/')}{INSTALL_PATH}?{urlencode({'setup': setup})}"


def authorize_url(
    base: str, *, client_id: str, redirect_uri: str, state: str, verifier: str, actor: str = "app"
) -> str:
    """Where an administrator of the workspace approves the app, or a person says who they are.

    Args:
        actor: "app" for an install; "user" for a token that only reads, in the name of whoever signs in.
        base: `AUTHORIZE_URL`, or that of a stand-in.
        state: Comes back unchanged.
        verifier: Stays here; only its digest goes along, so that a stolen code is worth nothing.

    Source: Linear's OAuth 2.0 documentation; `prompt=consent` lets people see which workspace they are in.
    """
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": ",".join(SCOPES if actor == "app" else ("read",)),
        "state": state,
        "actor": actor,
        "prompt": "consent",
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    return f"{base}?{urlencode(asked)}"


def challenge_of(verifier: str) -> str:
    """The S256 challenge of RFC 7636: the digest in base64 for URLs, without padding."""
    digest = sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
