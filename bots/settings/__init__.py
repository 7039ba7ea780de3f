"""Everything Threadline is told from outside, read in one place."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from bots.settings.config_file import Repository, read_config
from bots.settings.environment import Environment, leaves, read_environment, unknown, variables
from bots.settings.problems import SettingsError

__all__ = ["Repository", "Settings", "SettingsError", "load", "variables"]


class Settings(Environment):
    """Made by `load`: paths are absolute, no group is half set."""

    repositories: tuple[Repository, ...] = ()

    def secrets(self) -> list[str]:
        """Every secret value, for redaction: also the passwords inside of addresses."""
        addresses = [self.database_url, *(one.url for one in self.repositories)]
        passwords = [password for url in addresses if (password := urlsplit(url).password)]
        return [
            *(value.get_secret_value() for _, value in leaves(self) if isinstance(value, SecretStr)),
            *dict.fromkeys([*passwords, *map(unquote, passwords)]),
        ]


def load(environ: Mapping[str, str], cwd: Path) -> Settings:
    """Read the settings.

    Args:
        environ: The process's environment. Empty values count as not set.
        cwd: Folder that relative paths start from and where `threadline.toml` lies; absolute.

    Raises:
        SettingsError: With every problem found, one line each; end with exit code 2.
    """
    problems = list(unknown(environ))
    environment = read_environment(environ, problems)
    config = read_config(environ.get("THREADLINE_CONFIG", "").strip(), cwd, problems)
    if problems:
        raise SettingsError(problems)
    data_dir = cwd / environment.data_dir
    found = environment.model_copy(
        update={"data_dir": data_dir, "database_url": _absolute(environment.database_url, data_dir, cwd)}
    )
    repositories = tuple(
        one if one.url else one.model_copy(update={"url": f"{found.github.git_url}/{one.name}.git"})
        for one in config.repositories
    )
    return Settings(**dict(found), repositories=repositories)


def _absolute(url: str, data_dir: Path, cwd: Path) -> str:
    if not url:
        return f"sqlite:///{_in_url(data_dir / 'threadline.db')}"
    if not url.startswith("sqlite:///") or url.startswith("sqlite:////"):
        return url
    return f"sqlite:///{_in_url(cwd)}/{url.removeprefix('sqlite:///')}"


def _in_url(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3F")
