"""Everything Threadline is told from outside, read in one place."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from bots.settings.environment import (
    NOT_OURS,
    PREFIX,
    ConfigFile,
    Group,
    LinearTeam,
    People,
    Repository,
    Settings,
    variable,
    variables,
)
from bots.settings.problems import KeyPath, SettingsError, did_you_mean, explain

__all__ = ["LinearTeam", "Repository", "Settings", "SettingsError", "load", "variables"]


class GivenEnvironment(EnvSettingsSource):
    """The variables of a mapping in place of the process's own; empty ones count as not set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(Settings)
        given = ((name, environ.get(name, "").strip()) for name in variables())
        self.env_vars = {name.lower(): value for name, value in given if value}


def load(environ: Mapping[str, str], cwd: Path) -> Settings:
    """Read the settings.

    Args:
        environ: The process's environment. Empty values count as not set.
        cwd: Folder that relative paths start from and where `threadline.toml` lies; absolute.

    Raises:
        SettingsError: With every problem found, one line each; end with exit code 2.
    """
    problems = list(_unknown(environ))
    found = _read_environment(environ, problems)
    file = _read_file(environ.get("THREADLINE_CONFIG", "").strip(), cwd, problems)
    problems += _unreachable(found, file.teams)
    problems += _unlinkable(found, file.people)
    if problems:
        raise SettingsError(problems)
    data_dir = cwd / found.data_dir
    return found.model_copy(
        update={
            "data_dir": data_dir,
            "database_url": _absolute(found.database_url, data_dir, cwd),
            "repositories": tuple(
                one if one.url else one.model_copy(update={"url": f"{found.github.git_url}/{one.name}.git"})
                for one in file.repositories
            ),
            "linear_teams": file.teams,
            "people": file.people,
        }
    )


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    """Say which variables look like ours and are not: mistyped ones would be ignored in silence."""
    known = variables()
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known and name not in NOT_OURS:
            yield f"{name} is not a setting{did_you_mean(name, known, prefix=PREFIX)}"


def _read_environment(environ: Mapping[str, str], problems: list[str]) -> Settings:
    try:
        settings = Settings(**GivenEnvironment(environ)())
    except ValidationError as error:
        problems += (f"{variable(_own(path))} {what}" for path, what in explain(error, ()))
        return Settings()
    for name, group in settings:
        if isinstance(group, Group):
            problems += (f"{variable((name, key))} is missing: {why}" for key, why in group.half_set())
    if settings.linear.grant == "installed" and not settings.public_url:
        why = f"the install page of {variable(('linear', 'grant'))}=installed is reached by it"
        problems.append(f"{variable(('public_url',))} is missing: {why}")
    return settings


def _own(path: KeyPath) -> KeyPath:
    """Without what pydantic adds for members of a list and of a union."""
    return tuple(part for part in path if isinstance(part, str) and part.isidentifier())


def _read_file(named: str, cwd: Path, problems: list[str]) -> ConfigFile:
    """Read the file that THREADLINE_CONFIG names, else `threadline.toml` in `cwd`, which need not exist."""
    path = cwd / (named or "threadline.toml")
    try:
        file = ConfigFile.model_validate(tomllib.loads(path.read_text("utf-8")))
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
        known = [*ConfigFile.model_fields, *Repository.model_fields, *LinearTeam.model_fields]
        known += People.model_fields
        problems += (f"{path.name}: {_key(at)} {what}" for at, what in explain(error, known))
    else:
        problems += (f"{path.name}: {what}" for what in _contradictions(file))
        return file
    return ConfigFile()


def _unlinkable(found: Settings, people: People) -> Iterator[str]:
    """What is missing for people to link their accounts, where they have to."""
    linear = found.linear
    needed = {
        ("public_url",): found.public_url,
        ("linear", "client_id"): linear.client_id,
        ("linear", "client_secret"): linear.client_secret,
    }
    if people.unlinked == "link":
        why = 'people.unlinked = "link" sends people there to sign in to Linear'
        yield from (f"{variable(path)} is missing: {why}" for path, value in needed.items() if not value)


def _unreachable(found: Settings, teams: Iterable[LinearTeam]) -> Iterator[str]:
    """Channels in a chat that is not on, or in a tenant that nobody would be heard from."""
    heard = {found.teams.tenant_id, *found.teams.tenants}
    for index, one in enumerate(teams):
        at = f"teams[{index}].channel"
        if one.surface == "slack" and not found.slack.on:
            yield f"{variable(('slack', 'bot_token'))} is missing: {at} is in Slack"
        elif one.surface == "teams" and not found.teams.on:
            yield f"{variable(('teams', 'app_id'))} is missing: {at} is in Teams"
        elif one.surface == "teams" and one.install not in heard:
            yield f"{variable(('teams', 'tenants'))} does not name the tenant of {at}"


def _key(path: KeyPath) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _contradictions(file: ConfigFile) -> Iterator[str]:
    repositories = file.repositories
    for index in _twice(one.name.lower() for one in repositories):
        yield f"repositories[{index}].name is there twice: {repositories[index].name}"
    defaults = [index for index, one in enumerate(repositories) if one.default]
    for index in defaults[1:]:
        yield f"repositories[{index}].default must be false: repositories[{defaults[0]}] is the default"
    for index in _twice(one.key for one in file.teams):
        yield f"teams[{index}].key is there twice: {file.teams[index].key}"


def _twice(names: Iterable[str]) -> Iterator[int]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield index
        seen.add(name)


def _absolute(url: str, data_dir: Path, cwd: Path) -> str:
    if not url:
        return f"sqlite:///{_in_url(data_dir / 'threadline.db')}"
    if not url.startswith("sqlite:///") or url.startswith("sqlite:////"):
        return url
    return f"sqlite:///{_in_url(cwd)}/{url.removeprefix('sqlite:///')}"


def _in_url(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3F")
