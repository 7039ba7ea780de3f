"""The app package asks for exactly what the code uses, and Teams would take it."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bots.cli import USAGE_ERROR, main
from bots.teams.address import CHANNEL, GROUP, PATH, PERSONAL
from bots.teams.buttons import START_COMMAND
from bots.teams.icons import COLOR_PX, OUTLINE_PX, color_icon, outline_icon, pixels_of, size_of, written
from bots.teams.manifest import RESOURCE_SPECIFIC, SCOPES, render_manifest, render_package
from bots.teams.package import build, icon_problems, manifest_problems
from core.commands import Help, Status, Stop, Why, command_of

URL = "https://bot.acme.test"
APP_ID = "b0700000-0000-4000-8000-00000000000b"
ICONS = {"color.png": color_icon(), "outline.png": outline_icon()}
WHITE, CLEAR = (255, 255, 255, 255), (0, 0, 0, 0)

Change = Callable[[dict[str, Any]], object]


def manifest(**changes: Any) -> dict[str, Any]:
    return render_manifest(URL, APP_ID) | changes


def changed(change: Change) -> dict[str, Any]:
    whole = manifest()
    change(whole)
    return whole


def picture(side: int, pixel: tuple[int, int, int, int], corner: tuple[int, int, int, int]) -> bytes:
    """A square of one colour, but for its first pixel."""
    rows = [bytes(pixel) * side for _ in range(side)]
    return written(side, [bytes(corner) + rows[0][4:], *rows[1:]])


# What it asks for


def test_scopes_are_the_conversations_that_are_read() -> None:
    of_conversation = {"team": CHANNEL, "groupChat": GROUP, "personal": PERSONAL}
    (bot,) = manifest()["bots"]
    assert set(bot["scopes"]) == SCOPES == set(of_conversation)
    assert {of_conversation[scope] for scope in bot["scopes"]} == {CHANNEL, GROUP, PERSONAL}


def test_owners_are_asked_for_messages_without_a_mention_and_nothing_else() -> None:
    asked = manifest()["authorization"]["permissions"]["resourceSpecific"]
    assert asked == [{"name": name, "type": "Application"} for name in RESOURCE_SPECIFIC]
    assert set(RESOURCE_SPECIFIC.values()) < SCOPES


def test_commands_are_words_that_are_understood() -> None:
    (listed,) = manifest()["bots"][0]["commandLists"]
    understood = {type(command_of(command["title"])) for command in listed["commands"]}
    assert understood == {Status, Why, Stop, Help}
    assert set(listed["scopes"]) == SCOPES


def test_command_in_the_menu_of_messages_is_the_one_that_is_answered() -> None:
    (extension,) = manifest()["composeExtensions"]
    (command,) = extension["commands"]
    assert (command["id"], command["context"], command["fetchTask"]) == (START_COMMAND, ["message"], True)


# One server, one bot


def test_every_placeholder_is_filled() -> None:
    text = json.dumps(render_manifest(f"{URL}/", APP_ID.upper(), "Fixer", "1.2.3"))
    assert "threadline.example" not in text
    assert "00000000-0000-0000-0000" not in text
    assert text.count(APP_ID) == 5
    assert "acme.test//" not in text
    assert json.loads(text)["name"] == {"short": "Fixer", "full": "Fixer: Linear coding sessions"}
    assert json.loads(text)["version"] == "1.2.3"


def test_server_may_have_a_port_and_a_path() -> None:
    filled = render_manifest("https://acme.test:8443/bots", APP_ID)
    assert filled["validDomains"] == ["acme.test:8443"]
    assert filled["developer"]["websiteUrl"] == "https://acme.test:8443/bots"


@pytest.mark.parametrize(
    ("url", "app_id", "name", "problem"),
    [
        ("http://bot.acme.test", APP_ID, "x", "https"),
        ("bot.acme.test", APP_ID, "x", "https"),
        ('https://bot.acme.test/"', APP_ID, "x", "https"),
        ("https://", APP_ID, "x", "https"),
        (f"{URL}/api/messages", APP_ID, "x", "without /api/messages"),
        (f"{URL}/api/messages/", APP_ID, "x", "without /api/messages"),
        (URL, "00000000-0000-0000-0000-000000000000", "x", "this is no app id"),
        (URL, "not-a-guid", "x", "GUID"),
        (URL, APP_ID + "0", "x", "GUID"),
        (URL, APP_ID, " ", "30"),
        (URL, APP_ID, "x" * 31, "30"),
    ],
)
def test_what_teams_would_not_take_is_refused(url: str, app_id: str, name: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        render_manifest(url, app_id, name)


# The package


def test_package_is_flat_and_the_same_every_time() -> None:
    package = render_package(URL, APP_ID)
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["manifest.json", "color.png", "outline.png"]
        assert json.loads(archive.read("manifest.json")) == manifest()
    assert render_package(URL, APP_ID) == package


def test_icons_are_what_teams_wants() -> None:
    assert size_of(ICONS["color.png"]) == (COLOR_PX, COLOR_PX)
    assert size_of(ICONS["outline.png"]) == (OUTLINE_PX, OUTLINE_PX)
    outline = list(pixels_of(ICONS["outline.png"]))
    assert {pixel[:3] for pixel in outline} == {(255, 255, 255)}
    assert {0, 255} <= {pixel[3] for pixel in outline}
    assert {pixel[3] for pixel in pixels_of(ICONS["color.png"])} == {255}


def test_nothing_is_wrong_with_ours() -> None:
    assert list(manifest_problems(manifest())) == []
    assert list(icon_problems(manifest(), ICONS)) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda whole: whole.pop("accentColor"), "accentColor is missing"),
        (lambda whole: whole["name"].pop("short"), "name.short is missing"),
        (
            lambda whole: whole["developer"].update(privacyUrl="http://x"),
            "developer.privacyUrl must begin with",
        ),
        (lambda whole: whole["developer"].update(name="x" * 33), "developer.name has more than 32"),
        (lambda whole: whole["description"].update(short="x" * 81), "description.short has more than 80"),
        (lambda whole: whole.update(id="x"), "id must be a GUID"),
        (lambda whole: whole.update(version="1.0"), "version must be like"),
        (lambda whole: whole.update(accentColor="blue"), "accentColor must be like"),
        (lambda whole: whole.update(validDomains=["https://x"]), "https://x is no domain"),
        (lambda whole: whole.update(bots=[]), "exactly one bot"),
        (lambda whole: whole["bots"][0].update(botId="x"), "bots: botId must be a GUID"),
        (lambda whole: whole["bots"][0].update(scopes=["everywhere"]), "bots: scopes must be"),
        (lambda whole: whole["bots"][0].update(commandLists=[{}] * 4), "no more than 3 lists"),
        (
            lambda whole: whole["bots"][0]["commandLists"][0].update(commands=[{"title": "x"}] * 13),
            "no more than 12 commands",
        ),
        (lambda whole: whole["composeExtensions"].append({}), "no more than one composeExtension"),
        (
            lambda whole: whole["composeExtensions"][0]["commands"][0].update(title="x" * 33),
            "title of at most 32",
        ),
        (
            lambda whole: whole["authorization"]["permissions"].update(resourceSpecific=[{}] * 17),
            "no more than 16",
        ),
    ],
)
def test_each_rule_is_checked(change: Change, problem: str) -> None:
    assert any(problem in found for found in manifest_problems(changed(change)))


@pytest.mark.parametrize(
    ("icons", "problem"),
    [
        ({"color.png": ICONS["color.png"]}, "the icon outline.png is missing"),
        ({**ICONS, "color.png": ICONS["outline.png"]}, "color.png must be 192 x 192"),
        ({**ICONS, "outline.png": b"GIF89a"}, "outline.png: not a PNG"),
        ({**ICONS, "outline.png": picture(32, WHITE, WHITE)}, "outline.png must be white on a transparent"),
        ({**ICONS, "outline.png": picture(32, CLEAR, CLEAR)}, "outline.png must be white on a transparent"),
        ({**ICONS, "outline.png": picture(32, CLEAR, (255, 0, 0, 255))}, "outline.png must be white on"),
        ({**ICONS, "outline.png": ICONS["outline.png"][:60]}, "outline.png: the PNG is damaged"),
    ],
)
def test_icons_are_checked(icons: dict[str, bytes], problem: str) -> None:
    with pytest.raises(ValueError, match="the Teams package is not right") as raised:
        build(manifest(), icons)
    assert problem in str(raised.value)


def test_filtered_rows_are_not_misread() -> None:
    icon = picture(32, CLEAR, WHITE)
    header = icon[:33]
    data = zlib.compress((b"\x01" + bytes(32 * 4)) * 32)
    chunk = struct.pack(">I", len(data)) + b"IDAT" + data + struct.pack(">I", zlib.crc32(b"IDAT" + data))
    with pytest.raises(ValueError, match="filtered"):
        list(pixels_of(header + chunk))


# The command


def test_command_writes_the_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "threadline.zip"
    assert main(["manifest", "teams", "--url", f"{URL}/", "--app-id", APP_ID, "--out", str(out)]) == 0
    assert out.read_bytes() == render_package(URL, APP_ID)
    printed = capsys.readouterr().out
    assert f"{URL}{PATH}\n" in printed
    assert "version 1.0.0" in printed


def test_command_gives_a_changed_package_another_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["manifest", "teams", "--url", URL, "--app-id", APP_ID, "--out", str(tmp_path / "a.zip")]
    assert main([*asked, "--version", "1.1.0"]) == 0
    assert (tmp_path / "a.zip").read_bytes() == render_package(URL, APP_ID, version="1.1.0")
    assert main([*asked, "--version", "2"]) == USAGE_ERROR
    assert "version must be like 1.0.0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "app_id", "out", "problem"),
    [
        ("http://bot.acme.test", APP_ID, "a.zip", "https"),
        (URL, "x", "a.zip", "GUID"),
        (URL, APP_ID, "nowhere/a.zip", "there is no folder"),
    ],
)
def test_command_says_what_is_wrong(
    url: str, app_id: str, out: str, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["manifest", "teams", "--url", url, "--app-id", app_id, "--out", str(tmp_path / out)]
    assert main(asked) == USAGE_ERROR
    assert problem in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
