"""The Teams app for one server and one bot. `manifests/teams/manifest.json` is the template."""

import json
import re
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit

from bots.teams.address import PATH
from bots.teams.icons import color_icon, outline_icon
from bots.teams.package import build, is_guid

NAME: Final = "Threadline"
VERSION: Final = "1.0.0"

SCOPES: Final = frozenset({"personal", "team", "groupChat"})
"""The kinds of conversation whose activities are read."""

RESOURCE_SPECIFIC: Final = {"ChannelMessage.Read.Group": "team", "ChatMessage.Read.Chat": "groupChat"}
"""What owners consent to so that follow-ups need no mention, and the scope that it is for."""

_PLACEHOLDER_ID: Final = "00000000-0000-0000-0000-000000000000"
_PLACEHOLDER_HOST: Final = "threadline.example"
_NAME_CHARS: Final = 30
_URL: Final = re.compile(r"https://[\w.-]+(?::\d{1,5})?(?:/[\w./~-]*)?", re.ASCII)


def render_manifest(url: str, app_id: str, name: str = NAME, version: str = VERSION) -> dict[str, Any]:
    """The app's manifest.

    Args:
        url: Public address of this server ("https://bot.acme.test").
        app_id: Of the bot's registration, a GUID; the app in Teams gets the same id.
        name: How the app is called, 30 characters at most.
        version: "1.0.1"; one that replaces another has to be higher.

    Raises:
        ValueError: One of them cannot be used.

    Source: Microsoft's schema of app manifests, version 1.30.
    """
    if not _URL.fullmatch(url):
        raise ValueError("Teams needs an https address, like https://bot.example.com")
    if url.rstrip("/").endswith(PATH):
        raise ValueError(f"give the address of the server alone, without {PATH}")
    if not is_guid(app_id):
        raise ValueError("the app id must be a GUID, like b0700000-0000-4000-8000-00000000000b")
    if app_id == _PLACEHOLDER_ID:
        raise ValueError("this is no app id: the bot's registration shows its own")
    if not name.strip() or len(name) > _NAME_CHARS:
        raise ValueError(f"the name must have 1 to {_NAME_CHARS} characters")
    template = files("manifests").joinpath("teams/manifest.json").read_text(encoding="utf-8")
    filled = template.replace(f"https://{_PLACEHOLDER_HOST}", url.rstrip("/"))
    filled = filled.replace(_PLACEHOLDER_HOST, urlsplit(url).netloc).replace(_PLACEHOLDER_ID, app_id.lower())
    manifest: dict[str, Any] = json.loads(filled)
    _, _, what = manifest["name"]["full"].partition(":")
    manifest["name"] = {"short": name, "full": f"{name}:{what}"}
    manifest["version"] = version
    return manifest


def render_package(url: str, app_id: str, name: str = NAME, version: str = VERSION) -> bytes:
    """The zip to upload to Teams; arguments and errors as for `render_manifest`."""
    manifest = render_manifest(url, app_id, name, version)
    icons = {manifest["icons"]["color"]: color_icon(), manifest["icons"]["outline"]: outline_icon()}
    return build(manifest, icons)
