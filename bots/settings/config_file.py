"""`threadline.toml`: which repositories there are, and what is routed to them."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, StrictBool, ValidationError

from bots.settings.group import Group, matching
from bots.settings.problems import KeyPath, explain

OWNER_AND_NAME = r"[A-Za-z0-9_-][\w.-]*/[A-Za-z0-9_-][\w.-]*"
# The transports that `core.workspace` lets git use: others, like ext::, run commands.
GIT_URL = r"(?:(?:https|ssh|file)://|[\w.-]+@[\w.-]+:)\S+"
PLACE = r"(?:slack|teams):[^\s/]+/\S+"


class Repository(Group):
    """One `[[repositories]]`. `load` fills in `url`, so it is never empty afterwards."""

    name: Annotated[str, matching(OWNER_AND_NAME, 'must be "owner/name"')]
    url: Annotated[
        str, matching(GIT_URL, "must be an address like https://host/owner/name.git"), Field(repr=False)
    ] = ""
    base: Annotated[str, matching(r"[^\s-]\S*", "must be the name of a branch")] = "main"
    teams: tuple[str, ...] = ()
    channels: tuple[Annotated[str, matching(PLACE, 'must look like "slack:T0001/C0001"')], ...] = ()
    default: StrictBool = False


class ConfigFile(Group):
    """`threadline.toml`."""

    repositories: tuple[Repository, ...] = ()


def read_config(named: str, cwd: Path, problems: list[str]) -> ConfigFile:
    """Read the file that THREADLINE_CONFIG names, else `threadline.toml` in `cwd`, which need not exist."""
    path = cwd / (named or "threadline.toml")
    try:
        config = ConfigFile.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        if named:
            problems.append(f"THREADLINE_CONFIG names a file that does not exist: {path}")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(
            f"{path.name} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}"
        )
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{path.name} is not valid TOML: {error}")
    except ValidationError as error:
        known = [*ConfigFile.model_fields, *Repository.model_fields]
        problems += (f"{path.name}: {_key(at)} {what}" for at, what in explain(error, known))
    else:
        problems += (f"{path.name}: {what}" for what in _contradictions(config.repositories))
        return config
    return ConfigFile()


def _key(path: KeyPath) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _contradictions(repositories: tuple[Repository, ...]) -> Iterator[str]:
    names = [one.name.lower() for one in repositories]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield f"repositories[{index}].name is there twice: {repositories[index].name}"
    defaults = [index for index, one in enumerate(repositories) if one.default]
    for index in defaults[1:]:
        yield f"repositories[{index}].default must be false: repositories[{defaults[0]}] is the default"
