"""The app package that people upload to Teams: checked offline, then zipped. Pure."""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bots.teams.icons import COLOR_PX, OUTLINE_PX, pixels_of, size_of

MANIFEST: Final = "manifest.json"

_REQUIRED: Final = (
    "manifestVersion",
    "version",
    "id",
    "developer.name",
    "developer.websiteUrl",
    "developer.privacyUrl",
    "developer.termsOfUseUrl",
    "name.short",
    "description.short",
    "description.full",
    "icons.color",
    "icons.outline",
    "accentColor",
)
_CHARS: Final = {
    "developer.name": 32,
    "name.short": 30,
    "name.full": 100,
    "description.short": 80,
    "description.full": 4_000,
}
_GUIDS: Final = ("id", "webApplicationInfo.id")
_URLS: Final = ("developer.websiteUrl", "developer.privacyUrl", "developer.termsOfUseUrl")
_SCOPES: Final = {"personal", "team", "groupChat", "copilot"}
_COMMAND_LISTS: Final = 3
_COMMANDS: Final = 12
_EXTENSION_COMMANDS: Final = 10
_TITLE_CHARS: Final = 32
_RESOURCE_SPECIFIC: Final = 16

_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_DOMAIN: Final = re.compile(r"(?:\*\.)?(?:[a-zA-Z0-9-]{1,63}\.)*[a-zA-Z0-9-]{1,63}(?::\d{1,5})?")
# The package gets this date, so that the same settings give the same bytes.
_WHEN: Final = (2026, 1, 1, 0, 0, 0)

Manifest = Mapping[str, Any]
Problems = Iterator[str]


def is_guid(text: str) -> bool:
    """Whether it is an id in Microsoft's usual form."""
    return _GUID.fullmatch(text) is not None


def build(manifest: Manifest, icons: Mapping[str, bytes]) -> bytes:
    """The zip: everything at its top, the same bytes for the same content.

    Raises:
        ValueError: Teams would not take it; says everything that is wrong.
    """
    problems = [*manifest_problems(manifest), *icon_problems(manifest, icons)]
    if problems:
        raise ValueError("the Teams package is not right: " + "; ".join(problems))
    packed = io.BytesIO()
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in {MANIFEST: text.encode(), **icons}.items():
            entry = zipfile.ZipInfo(name, _WHEN)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def manifest_problems(manifest: Manifest) -> Problems:
    """What keeps Teams from taking this manifest, as far as its own published rules tell."""
    for path in _REQUIRED:
        if not isinstance(_at(manifest, path), str) or not _at(manifest, path):
            yield f"{path} is missing"
    for path, limit in _CHARS.items():
        if len(str(_at(manifest, path) or "")) > limit:
            yield f"{path} has more than {limit} characters"
    for path in _GUIDS:
        if not is_guid(str(_at(manifest, path))):
            yield f"{path} must be a GUID"
    for path in _URLS:
        if not str(_at(manifest, path)).startswith("https://"):
            yield f"{path} must begin with https://"
    yield from _forms(manifest)
    yield from _bots(manifest)
    yield from _extensions(manifest)
    if len(_list(_at(manifest, "authorization.permissions.resourceSpecific"))) > _RESOURCE_SPECIFIC:
        yield f"no more than {_RESOURCE_SPECIFIC} resource-specific permissions"


def icon_problems(manifest: Manifest, icons: Mapping[str, bytes]) -> Problems:
    """Whether the icons that the manifest names are there, of the right size, and the outline white."""
    for role, side in (("color", COLOR_PX), ("outline", OUTLINE_PX)):
        name = str(_at(manifest, f"icons.{role}"))
        if name not in icons:
            yield f"the icon {name} is missing"
            continue
        try:
            if size_of(icons[name]) != (side, side):
                yield f"{name} must be {side} x {side} pixels"
            elif role == "outline" and not _is_outline(icons[name]):
                yield f"{name} must be white on a transparent ground"
        except ValueError as error:
            yield f"{name}: {error}"


def _is_outline(icon: bytes) -> bool:
    pixels = list(pixels_of(icon))
    is_white = all(pixel[:3] == (255, 255, 255) for pixel in pixels if pixel[3])
    return is_white and any(pixel[3] == 0 for pixel in pixels) and any(pixel[3] for pixel in pixels)


def _forms(manifest: Manifest) -> Problems:
    if not _VERSION.fullmatch(str(_at(manifest, "version"))):
        yield "version must be like 1.0.0"
    if not _COLOR.fullmatch(str(_at(manifest, "accentColor"))):
        yield "accentColor must be like #4B3FCF"
    for domain in _list(_at(manifest, "validDomains")):
        if not _DOMAIN.fullmatch(str(domain)):
            yield f"validDomains: {domain} is no domain"


def _bots(manifest: Manifest) -> Problems:
    bots = _list(_at(manifest, "bots"))
    if len(bots) != 1:
        yield "there must be exactly one bot"
    for bot in bots:
        yield from _bot_id(bot, "bots")
        yield from _scopes(bot, "bots")
        lists = _list(_at(bot, "commandLists"))
        if len(lists) > _COMMAND_LISTS:
            yield f"no more than {_COMMAND_LISTS} lists of commands"
        for each in lists:
            yield from _scopes(each, "commandLists")
            if len(_list(_at(each, "commands"))) > _COMMANDS:
                yield f"no more than {_COMMANDS} commands in a list"


def _extensions(manifest: Manifest) -> Problems:
    extensions = _list(_at(manifest, "composeExtensions"))
    if len(extensions) > 1:
        yield "no more than one composeExtension"
    for extension in extensions:
        yield from _bot_id(extension, "composeExtensions")
        commands = _list(_at(extension, "commands"))
        if len(commands) > _EXTENSION_COMMANDS:
            yield f"no more than {_EXTENSION_COMMANDS} commands in composeExtensions"
        for command in commands:
            if not 0 < len(str(_at(command, "title") or "")) <= _TITLE_CHARS:
                yield f"a command in composeExtensions needs a title of at most {_TITLE_CHARS} characters"


def _bot_id(node: Manifest, where: str) -> Problems:
    if not is_guid(str(_at(node, "botId"))):
        yield f"{where}: botId must be a GUID"


def _scopes(node: Manifest, where: str) -> Problems:
    scopes = _list(_at(node, "scopes"))
    if not scopes or not _SCOPES.issuperset(map(str, scopes)):
        yield f"{where}: scopes must be some of {', '.join(sorted(_SCOPES))}"


def _at(node: object, path: str) -> Any:
    """What stands at a path like `name.short`; None if nothing does."""
    for name in path.split("."):
        node = node.get(name) if isinstance(node, Mapping) else None
    return node


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []
