"""The OAuth app's manifest for one address. `manifests/linear.json` is the template."""

import json
from importlib.resources import files
from typing import Final
from urllib.parse import urlencode, urlsplit

from linear.authorization import LINK_CALLBACK_PATH, callback_url
from linear.ingress import PATH as WEBHOOK_PATH

CREATE_URL: Final = "https://linear.app/settings/api/applications/new"
NAME: Final = "Threadline"

_NAME_CHARS: Final = range(2, 81)


def render_manifest(url: str, name: str = NAME) -> str:
    """The manifest as JSON, to open in Linear by `creation_link` or to keep.

    Scopes, `actor=app` and the event of a revoked app are no part of the format: the first two are asked for
    at the install, the third always comes.

    Args:
        url: Public address of this server ("https://bot.acme.test"); Linear sends webhooks over https only.
        name: How the app and its user are called.

    Raises:
        ValueError: The address or the name cannot be used.

    Source: Linear's documentation of OAuth application manifests, format 1.0.0.
    """
    _check_name(name)
    if urlsplit(url).scheme != "https":
        raise ValueError("Linear needs an https address")
    manifest = json.loads(files("manifests").joinpath("linear.json").read_text(encoding="utf-8"))
    base = url.rstrip("/")
    callbacks = [callback_url(url), callback_url(url, LINK_CALLBACK_PATH)]
    manifest["oauth"] |= {"client_name": name, "client_uri": base, "redirect_uris": callbacks}
    manifest["webhook"]["url"] = base + WEBHOOK_PATH
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def creation_link(manifest: str) -> str:
    """Where a click makes the app, with every field filled in; from what `render_manifest` returns."""
    compact = json.dumps(json.loads(manifest), separators=(",", ":"))
    return f"{CREATE_URL}?{urlencode({'manifest': compact})}"


def _check_name(name: str) -> None:
    if len(name.strip()) not in _NAME_CHARS or len(name) not in _NAME_CHARS:
        raise ValueError(f"the name must have {_NAME_CHARS.start} to {_NAME_CHARS.stop - 1} characters")
    if "linear" in name.casefold() or "http://" in name or "https://" in name:
        raise ValueError("Linear allows neither its own name nor an address in the name of an app")
