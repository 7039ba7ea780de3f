"""The GitHub App's manifest for one address. `manifests/github.json` is the template."""

import json
import re
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from core import web_pages
from github.ingress import PATH as WEBHOOK_PATH
from github.oauth import LINK_CALLBACK_PATH

NAME: Final = "Threadline"
NAME_CHARS: Final = 34
WEB_URL: Final = "https://github.com"

_ORGANIZATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}", re.ASCII)

PERMISSIONS: Final = MappingProxyType(
    {
        "actions": "read",  # What failed in a job.
        "checks": "write",  # `independent-review`.
        "contents": "write",  # Branches; not workflow files, which have a right of their own.
        "emails": "read",  # Of a person who links an account: whose it is.
        "issues": "read",  # Only for the event: GitHub files comments on pull requests under it.
        "members": "read",  # Whose rights changed, and the names of teams that own code.
        "merge_queues": "read",
        "metadata": "read",
        "pull_requests": "write",
        "statuses": "read",  # Checks of the older kind.
    }
)
"""Everything the service does; nothing here changes workflows, settings or who may do what."""


def github_manifest(public_url: str, name: str = NAME) -> dict[str, Any]:
    """The manifest for GitHub's page "Register a GitHub App from a manifest".

    Args:
        public_url: Address of this server ("https://bot.acme.test").
        name: How the app is called; it must be free at GitHub, and its comments come from "name[bot]".

    Raises:
        ValueError: The address or the name cannot be used.

    Source: GitHub's documentation of app manifests; a manifest that asks for an event without the permission
    behind it is refused as a whole.
    """
    parts = urlsplit(public_url)
    if parts.scheme != "https" or not parts.netloc or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("GitHub needs an https address without a path")
    if not name.strip() or len(name) > NAME_CHARS or "github" in name.casefold():
        raise ValueError(f"the name must have 1 to {NAME_CHARS} characters, and not be one of GitHub's own")
    base = f"{parts.scheme}://{parts.netloc}"
    manifest: dict[str, Any] = json.loads(files("manifests").joinpath("github.json").read_text("utf-8"))
    manifest |= {"name": name, "url": base, "redirect_url": base}
    manifest["hook_attributes"]["url"] = base + WEBHOOK_PATH
    manifest["callback_urls"] = [base + LINK_CALLBACK_PATH]
    return manifest


def registration_form(manifest: dict[str, Any], organization: str = "", *, web_url: str = WEB_URL) -> str:
    """A page with one button that sends the manifest to GitHub, which takes one in no other way.

    Args:
        organization: Whose app it becomes; "" for whoever is signed in.
        web_url: Of an enterprise server, "https://ghe.acme.test".

    Raises:
        ValueError: That is no name of an organisation, or no https address.
    """
    if organization and not _ORGANIZATION.fullmatch(organization):
        raise ValueError(f"{organization!r} is no name of an organisation at GitHub")
    owner = f"organizations/{organization}/" if organization else ""
    whose = f"the organisation {organization}" if organization else "the account that is signed in"
    lines = [
        f"This makes the GitHub App “{manifest['name']}” for {whose}. An owner has to be signed in.",
        "GitHub then leads to an address with ?code= in it, where nothing answers: keep that code.",
    ]
    action = web_pages.address_of(web_url, f"/{owner}settings/apps/new")
    fields = {"manifest": json.dumps(manifest)}
    return web_pages.confirm("Register the GitHub App", lines, "Register at GitHub", action, fields)
