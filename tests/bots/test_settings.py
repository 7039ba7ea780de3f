"""Settings: what is read, what is derived, and every way to get them wrong."""

from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from bots.settings import Repository, Settings, SettingsError, load, variables
from bots.settings.environment import People

SLACK = {"THREADLINE_SLACK__BOT_TOKEN": "xoxb-1", "THREADLINE_SLACK__SIGNING_SECRET": "s3cret"}
LINEAR = {"THREADLINE_LINEAR__CLIENT_ID": "app", "THREADLINE_LINEAR__CLIENT_SECRET": "lin-secret"}


def problems(environ: dict[str, str], cwd: Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(environ, cwd)
    return str(caught.value).splitlines()


def config(cwd: Path, text: str) -> Path:
    path = cwd / "threadline.toml"
    path.write_text(text, "utf-8")
    return path


def test_nothing_set_is_a_valid_start_with_everything_off(tmp_path: Path) -> None:
    settings = load({"PATH": "/bin"}, tmp_path)
    assert [
        settings.slack.on,
        settings.linear.on,
        settings.teams.on,
        settings.github.on,
        settings.claude.on,
    ] == [False] * 5
    assert (settings.host, settings.port, settings.log_level) == ("127.0.0.1", 8080, "INFO")
    assert settings.slack.api_url == "https://slack.com/api/"
    assert settings.linear.api_url == "https://api.linear.app/graphql"
    assert (settings.claude.model, settings.claude.max_turns, settings.claude.max_budget_usd) == (
        None,
        150,
        5.0,
    )
    assert (settings.run.sandbox, settings.run.turn_timeout_s, settings.run.silence_timeout_s) == (
        "auto",
        7200,
        600,
    )
    assert settings.run.max_active >= 2
    assert settings.repositories == ()


def test_groups_are_read_from_nested_names(tmp_path: Path) -> None:
    settings = load(
        SLACK | LINEAR | {"THREADLINE_RUN__MAX_ACTIVE": "7", "THREADLINE_LOG_LEVEL": "debug"}, tmp_path
    )
    assert settings.slack.on
    assert settings.slack.bot_token == SecretStr("xoxb-1")
    assert settings.linear.on
    assert settings.run.max_active == 7
    assert settings.log_level == "DEBUG"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "sqlite:///{cwd}/var/threadline.db"),
        ({"THREADLINE_DATA_DIR": "state"}, "sqlite:///{cwd}/state/threadline.db"),
        ({"THREADLINE_DATA_DIR": "/srv/100%?"}, "sqlite:////srv/100%25%3F/threadline.db"),
        ({"THREADLINE_DATABASE_URL": "sqlite:///my.db"}, "sqlite:///{cwd}/my.db"),
        ({"THREADLINE_DATABASE_URL": "sqlite:////srv/my.db"}, "sqlite:////srv/my.db"),
        ({"THREADLINE_DATABASE_URL": "postgresql://u:p@db/t"}, "postgresql://u:p@db/t"),
    ],
)
def test_paths_start_from_the_working_directory(
    environ: dict[str, str], expected: str, tmp_path: Path
) -> None:
    assert load(environ, tmp_path).database_url == expected.format(cwd=tmp_path)


def test_empty_and_padded_values_count_as_people_mean_them(tmp_path: Path) -> None:
    settings = load({"THREADLINE_SLACK__BOT_TOKEN": "", "THREADLINE_LINEAR__TOKEN": " lin_api_1\n"}, tmp_path)
    assert not settings.slack.on
    assert settings.linear.token == SecretStr("lin_api_1")


def test_addresses_are_brought_into_one_form(tmp_path: Path) -> None:
    settings = load(
        {
            "THREADLINE_PUBLIC_URL": "https://bot.acme.test/",
            "THREADLINE_SLACK__API_URL": "http://127.0.0.1:4011/api",
            "THREADLINE_TEAMS__SERVICE_HOSTS": "smba.trafficmanager.net, bot.acme.test",
        },
        tmp_path,
    )
    assert settings.public_url == "https://bot.acme.test"
    assert settings.slack.api_url == "http://127.0.0.1:4011/api/"
    assert settings.teams.service_hosts == ("smba.trafficmanager.net", "bot.acme.test")


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        (
            {"THREADLINE_SLACK__BOT_TOKEN": "xoxb-1"},
            "THREADLINE_SLACK__SIGNING_SECRET is missing: "
            "Slack events need it, or THREADLINE_SLACK__APP_TOKEN for Socket Mode",
        ),
        (
            {"THREADLINE_SLACK__APP_TOKEN": "xapp-1"},
            "THREADLINE_SLACK__BOT_TOKEN is missing: Slack needs the bot token (xoxb-...) beside what is set",
        ),
        (
            {"THREADLINE_LINEAR__CLIENT_ID": "app"},
            "THREADLINE_LINEAR__CLIENT_SECRET is missing: THREADLINE_LINEAR__CLIENT_ID needs it",
        ),
        (
            {"THREADLINE_LINEAR__CLIENT_SECRET": "xyz"},
            "THREADLINE_LINEAR__CLIENT_ID is missing: THREADLINE_LINEAR__CLIENT_SECRET needs it",
        ),
        (
            {"THREADLINE_LINEAR__WEBHOOK_SECRET": "xyz"},
            "THREADLINE_LINEAR__TOKEN is missing: "
            "Linear needs it, or THREADLINE_LINEAR__CLIENT_ID and CLIENT_SECRET",
        ),
        (
            {"THREADLINE_LINEAR__TOKEN": "t", "THREADLINE_LINEAR__WEBHOOK_SECRET_PREVIOUS": "xyz"},
            "THREADLINE_LINEAR__WEBHOOK_SECRET is missing: "
            "WEBHOOK_SECRET_PREVIOUS is only for the time of a change",
        ),
        (
            {"THREADLINE_GITHUB__PRIVATE_KEY": "pem"},
            "THREADLINE_GITHUB__APP_ID is missing: THREADLINE_GITHUB__PRIVATE_KEY needs it",
        ),
        ({"THREADLINE_PORT": "http"}, "THREADLINE_PORT must be a whole number"),
        ({"THREADLINE_PORT": "70000"}, "THREADLINE_PORT must be at most 65535"),
        ({"THREADLINE_PORT": "-1"}, "THREADLINE_PORT must be at least 0"),
        ({"THREADLINE_CLAUDE__MAX_TURNS": "0"}, "THREADLINE_CLAUDE__MAX_TURNS must be more than 0"),
        ({"THREADLINE_CLAUDE__MAX_BUDGET_USD": "nan"}, "THREADLINE_CLAUDE__MAX_BUDGET_USD must be a number"),
        ({"THREADLINE_RUN__SANDBOX": "on"}, "THREADLINE_RUN__SANDBOX must be auto, bwrap or off"),
        ({"THREADLINE_LOG_LEVEL": "all"}, "THREADLINE_LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR"),
        (
            {"THREADLINE_PUBLIC_URL": "acme.test"},
            "THREADLINE_PUBLIC_URL must be an address like https://example.com",
        ),
        (
            {"THREADLINE_DATABASE_URL": "sqlite:///:memory:"},
            "THREADLINE_DATABASE_URL must be sqlite:///path/to/file.db or postgresql://...",
        ),
        (
            {"THREADLINE_SLACK__BOTTOKEN": "xoxb-1"},
            "THREADLINE_SLACK__BOTTOKEN is not a setting; did you mean THREADLINE_SLACK__BOT_TOKEN?",
        ),
        ({"THREADLINE_UNHEARD_OF": "1"}, "THREADLINE_UNHEARD_OF is not a setting"),
    ],
)
def test_a_wrong_variable_is_named_with_what_it_must_be(
    environ: dict[str, str], line: str, tmp_path: Path
) -> None:
    assert problems(environ, tmp_path) == [line]


def test_socket_mode_needs_no_signing_secret(tmp_path: Path) -> None:
    tokens = {"THREADLINE_SLACK__BOT_TOKEN": "xoxb-1", "THREADLINE_SLACK__APP_TOKEN": "xapp-1"}
    assert load(tokens, tmp_path).slack.on


def test_the_mark_of_an_agents_run_is_no_setting_and_no_mistake(tmp_path: Path) -> None:
    load({"THREADLINE_AGENT": "3f0c"}, tmp_path)


def test_repositories_are_read_with_their_defaults(tmp_path: Path) -> None:
    config(
        tmp_path,
        """
        [[repositories]]
        name = "acme/shop"
        teams = ["ENG"]
        channels = ["slack:T0001/C0001"]
        default = true

        [[repositories]]
        name = "acme/site"
        url = "file:///srv/git/site.git"
        base = "trunk"
        """,
    )
    assert load({"THREADLINE_GITHUB__GIT_URL": "https://git.acme.test/"}, tmp_path).repositories == (
        Repository(
            name="acme/shop",
            url="https://git.acme.test/acme/shop.git",
            base="main",
            teams=("ENG",),
            channels=("slack:T0001/C0001",),
            default=True,
        ),
        Repository(name="acme/site", url="file:///srv/git/site.git", base="trunk"),
    )


def test_a_repository_without_an_address_is_on_github(tmp_path: Path) -> None:
    config(tmp_path, '[[repositories]]\nname = "acme/shop"')
    assert [one.url for one in load({}, tmp_path).repositories] == ["https://github.com/acme/shop.git"]


def test_the_file_can_lie_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    config(tmp_path / "etc", '[[repositories]]\nname = "acme/shop"')
    settings = load({"THREADLINE_CONFIG": "etc/threadline.toml"}, tmp_path)
    assert [one.name for one in settings.repositories] == ["acme/shop"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[[repositories]]\nname = "acme/shop"\nbase = 5', "repositories[0].base must be a string"),
        ('[[repositories]]\nbase = "main"', "repositories[0].name is missing"),
        ('[[repositories]]\nname = "shop"', 'repositories[0].name must be "owner/name"'),
        ('[[repositories]]\nname = "../shop"', 'repositories[0].name must be "owner/name"'),
        (
            '[[repositories]]\nname = "acme/shop"\nchanels = []',
            "repositories[0].chanels is not known; did you mean channels?",
        ),
        ('[[repositories]]\nname = "acme/shop"\nteams = "ENG"', "repositories[0].teams must be a list"),
        ('[[repositories]]\nname = "acme/shop"\nteams = [5]', "repositories[0].teams[0] must be a string"),
        (
            '[[repositories]]\nname = "acme/shop"\ndefault = "yes"',
            "repositories[0].default must be true or false",
        ),
        (
            '[[repositories]]\nname = "acme/shop"\nchannels = ["#eng"]',
            'repositories[0].channels[0] must look like "slack:T0001/C0001"',
        ),
        (
            '[[repositories]]\nname = "acme/shop"\nurl = "ext::sh -c id"',
            "repositories[0].url must be an address like https://host/owner/name.git",
        ),
        (
            '[[repositories]]\nname = "acme/shop"\nurl = "http://host/shop.git"',
            "repositories[0].url must be an address like https://host/owner/name.git",
        ),
        (
            '[[repositories]]\nname = "acme/shop"\nurl = "--upload-pack=id"',
            "repositories[0].url must be an address like https://host/owner/name.git",
        ),
        (
            '[[repositories]]\nname = "acme/shop"\nbase = "--all"',
            "repositories[0].base must be the name of a branch",
        ),
        (
            '[[repositories]]\nname = "acme/shop"\n[[repositories]]\nname = "Acme/Shop"',
            "repositories[1].name is there twice: Acme/Shop",
        ),
        (
            '[[repositories]]\nname = "a/b"\ndefault = true\n[[repositories]]\nname = "a/c"\ndefault = true',
            "repositories[1].default must be false: repositories[0] is the default",
        ),
        ('[people]\nunlinked = "forbidden"', "people.unlinked must be named or link"),
        ("[people]\nguests = true", "people.guests must be read or full"),
        ('[people]\nguest = "full"', "people.guest is not known; did you mean guests?"),
        ("people = 1", "people must be a table"),
        ("repositories = 1", "repositories must be a list"),
        ("repositories = [1]", "repositories[0] must be a table"),
        ('[repository]\nname = "acme/shop"', "repository is not known; did you mean repositories?"),
    ],
)
def test_a_wrong_key_of_the_file_is_named_with_its_place(text: str, expected: str, tmp_path: Path) -> None:
    config(tmp_path, text)
    assert problems({}, tmp_path) == [f"threadline.toml: {expected}"]


def test_people_are_named_and_guests_read_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    assert load({}, tmp_path).people == People(unlinked=None, guests="read")
    config(tmp_path, '[people]\nguests = "full"')
    assert load({}, tmp_path).people == People(guests="full")


def test_people_can_only_be_sent_to_linear_where_there_is_a_way(tmp_path: Path) -> None:
    config(tmp_path, '[people]\nunlinked = "link"')
    why = 'people.unlinked = "link" sends people there to sign in to Linear'
    assert problems({}, tmp_path) == [
        f"THREADLINE_{name} is missing: {why}"
        for name in ("PUBLIC_URL", "LINEAR__CLIENT_ID", "LINEAR__CLIENT_SECRET")
    ]
    given = {
        "THREADLINE_PUBLIC_URL": "https://bot.acme.test",
        "THREADLINE_LINEAR__CLIENT_ID": "id",
        "THREADLINE_LINEAR__CLIENT_SECRET": "secret",
    }
    assert load(given, tmp_path).people.unlinked == "link"


def test_a_file_that_is_not_toml_says_where(tmp_path: Path) -> None:
    config(tmp_path, '[[repositories]]\nname = "acme/shop"\nbase = main')
    (line,) = problems({}, tmp_path)
    assert line.startswith("threadline.toml is not valid TOML: ")
    assert "line 3" in line


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "threadline.toml").write_bytes(b"\xff\xfe")
    assert problems({}, tmp_path) == ["threadline.toml cannot be read: it is not UTF-8"]


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "threadline.toml").mkdir()
    assert problems({}, tmp_path) == ["threadline.toml cannot be read: Is a directory"]


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    assert problems({"THREADLINE_CONFIG": "gone.toml"}, tmp_path) == [
        f"THREADLINE_CONFIG names a file that does not exist: {tmp_path}/gone.toml"
    ]


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    config(tmp_path, '[[repositories]]\nname = "shop"')
    assert problems({"THREADLINE_SLAK__BOT_TOKEN": "x", "THREADLINE_PORT": "x"}, tmp_path) == [
        "THREADLINE_SLAK__BOT_TOKEN is not a setting; did you mean THREADLINE_SLACK__BOT_TOKEN?",
        "THREADLINE_PORT must be a whole number",
        'threadline.toml: repositories[0].name must be "owner/name"',
    ]


def secret_variables() -> list[str]:
    settings: Settings = load({}, Path("/"))
    return [
        name
        for name, (group, *field) in variables().items()
        if field and "SecretStr" in str(type(getattr(settings, group)).model_fields[field[0]].annotation)
    ]


def test_what_sounds_like_a_secret_is_one() -> None:
    endings = ("TOKEN", "SECRET", "PASSWORD", "KEY", "PREVIOUS")
    assert [name for name in variables() if name.endswith(endings)] == secret_variables()


def test_every_secret_is_listed_for_redaction(tmp_path: Path) -> None:
    environ = {name: f"value of {name}" for name in secret_variables()}
    environ |= dict.fromkeys(["THREADLINE_TEAMS__APP_ID", "THREADLINE_TEAMS__TENANT_ID"], str(UUID(int=1)))
    environ |= {"THREADLINE_GITHUB__APP_ID": "1", "THREADLINE_GITHUB__CLIENT_ID": "c"}
    environ |= {"THREADLINE_LINEAR__CLIENT_ID": "c", "THREADLINE_DATABASE_URL": "postgresql://u:p%40ss@db/t"}
    config(tmp_path, '[[repositories]]\nname = "acme/shop"\nurl = "https://bot:t0ken@git.acme.test/shop.git"')
    found = load(environ, tmp_path).secrets()
    assert set(found) == {environ[name] for name in secret_variables()} | {"p%40ss", "p@ss", "t0ken"}


def test_secrets_do_not_show_when_settings_are_printed(tmp_path: Path) -> None:
    config(tmp_path, '[[repositories]]\nname = "acme/shop"\nurl = "https://bot:t0ken@git.acme.test/shop.git"')
    settings = load(SLACK | {"THREADLINE_DATABASE_URL": "postgresql://u:hunter2@db/t"}, tmp_path)
    assert not [
        word for word in ("xoxb-1", "s3cret", "hunter2", "t0ken") if word in repr(settings) + str(settings)
    ]


@given(st.dictionaries(st.sampled_from(sorted(variables())), st.just("hunter2 \x00 \u2713"), min_size=1))
def test_no_message_ever_shows_a_value(environ: dict[str, str]) -> None:
    shown = everything_said({**environ, "THREADLINE_CONFIG": ""})
    assert "hunter2" not in shown


def everything_said(environ: dict[str, str]) -> str:
    try:
        return repr(load(environ, Path("/nonexistent")).slack)
    except SettingsError as error:
        return str(error)


TENANT = "ac3e0000-0000-4000-8000-000000000001"
OTHER = "07e40000-0000-4000-8000-000000000002"
TEAMS = {
    "THREADLINE_TEAMS__APP_ID": "b0700000-0000-4000-8000-00000000000b",
    "THREADLINE_TEAMS__APP_PASSWORD": "s3cret",
    "THREADLINE_TEAMS__TENANT_ID": TENANT,
}
NO_CHANNEL = 'must be a channel like "slack:T0001/C0001" or "teams:<tenant id>/19:...@thread.tacv2"'
TEAM_CHANNEL = '[[teams]]\nkey = "ENG"\nchannel = "slack:T0001/C0001"\n'


def test_a_team_has_a_channel_in_which_its_sessions_are_shown(tmp_path: Path) -> None:
    config(tmp_path, TEAM_CHANNEL)
    (team,) = load(SLACK, tmp_path).linear_teams
    assert (team.key, team.channel) == ("ENG", "slack:T0001/C0001")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (TEAM_CHANNEL * 2, "threadline.toml: teams[1].key is there twice: ENG"),
        (
            TEAM_CHANNEL.replace("slack:T0001/C0001", "#eng"),
            f"threadline.toml: teams[0].channel {NO_CHANNEL}",
        ),
        *(
            (
                TEAM_CHANNEL.replace("slack:T0001/C0001", wrong),
                f"threadline.toml: teams[0].channel {NO_CHANNEL}",
            )
            for wrong in (
                "teams:acme/19:eng@thread.tacv2",
                f"teams:{TENANT}/19%3Aeng%40thread.tacv2",
                f"teams:{TENANT}/19:eng@thread.tacv2;messageid=1",
                f"teams:{TENANT}/19:group@thread.v2",
            )
        ),
        (
            TEAM_CHANNEL.replace('"ENG"', '"eng"'),
            'threadline.toml: teams[0].key must be the key of a Linear team, like "ENG"',
        ),
        ('[[teams]]\nkey = "ENG"', "threadline.toml: teams[0].channel is missing"),
        (
            TEAM_CHANNEL.replace("channel", "chanel"),
            "threadline.toml: teams[0].chanel is not known; did you mean channel?",
        ),
    ],
    ids=[
        "twice",
        "name",
        "no tenant",
        "as in links",
        "a thread",
        "a group chat",
        "lower case",
        "missing",
        "mistyped",
    ],
)
def test_a_wrong_team_is_named_in_one_line(tmp_path: Path, text: str, line: str) -> None:
    config(tmp_path, text)
    assert line in problems(dict(SLACK), tmp_path)


def test_a_channel_in_slack_needs_slack(tmp_path: Path) -> None:
    config(tmp_path, TEAM_CHANNEL)
    assert problems({}, tmp_path) == ["THREADLINE_SLACK__BOT_TOKEN is missing: teams[0].channel is in Slack"]


def test_a_channel_in_teams_needs_teams_and_a_tenant_that_is_heard(tmp_path: Path) -> None:
    channel = f"teams:{OTHER}/19:eng@thread.tacv2"
    config(tmp_path, TEAM_CHANNEL.replace("slack:T0001/C0001", channel))
    assert problems({}, tmp_path) == ["THREADLINE_TEAMS__APP_ID is missing: teams[0].channel is in Teams"]
    assert problems(TEAMS, tmp_path) == [
        "THREADLINE_TEAMS__TENANTS does not name the tenant of teams[0].channel"
    ]
    (team,) = load({**TEAMS, "THREADLINE_TEAMS__TENANTS": OTHER}, tmp_path).linear_teams
    assert team.channel == channel
