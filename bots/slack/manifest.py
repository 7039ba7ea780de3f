"""The Slack app's manifest, for one address or for Socket Mode. `manifests/slack.yaml` is the template."""

import json
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit

from bots.slack.client import SCOPES
from bots.slack.events import BOT_EVENTS
from bots.slack.ingress import PATH

FEATURE_SCOPES: Final = {"agent_view": ("assistant:write",), "shortcuts": ("commands",)}
"""Scopes that a feature of the manifest demands by itself."""

BOT_SCOPES: Final = frozenset(
    scope
    for needs in (SCOPES.values(), BOT_EVENTS.values(), FEATURE_SCOPES.values())
    for scopes in needs
    for scope in scopes
)
"""Every bot scope that the code uses."""

NAME: Final = "Threadline"
_PLACEHOLDER: Final = "https://threadline.example/slack/events"
_NAME_CHARS: Final = 35


def render_manifest(url: str | None, socket_mode: bool, name: str = NAME) -> str:
    """The manifest as YAML, to paste into "Create an app from a manifest".

    Args:
        url: Public address of this server ("https://bot.acme.test"); None only with `socket_mode`.
        socket_mode: Let the app connect to Slack instead; then no address is part of the manifest.
        name: How the app and its bot user are called, 35 characters at most.

    Raises:
        ValueError: The address or the name cannot be used.
    """
    if not name.strip() or len(name) > _NAME_CHARS:
        raise ValueError(f"the name must have 1 to {_NAME_CHARS} characters")
    # A JSON string is a YAML string too, whatever is in it.
    manifest = _template().replace(f"name: {NAME}", f"name: {json.dumps(name)}")
    if socket_mode:
        manifest = manifest.replace("socket_mode_enabled: false", "socket_mode_enabled: true")
        return "".join(line for line in manifest.splitlines(keepends=True) if "request_url:" not in line)
    return manifest.replace(_PLACEHOLDER, json.dumps(_events_url(url)))


def _template() -> str:
    return files("manifests").joinpath("slack.yaml").read_text(encoding="utf-8")


def _events_url(url: str | None) -> str:
    parts = urlsplit(url or "")
    if parts.scheme != "https" or not parts.netloc:
        raise ValueError("Slack needs an https address, or Socket Mode")
    return (url or "").rstrip("/") + PATH
