"""The settings of Teams, and every way to get them wrong."""

from pathlib import Path

import pytest

from bots.settings import Settings, SettingsError, load

APP = "b0700000-0000-4000-8000-00000000000b"
TENANT = "ac3e0000-0000-4000-8000-000000000001"
OTHER = "07e40000-0000-4000-8000-000000000002"
TEAMS = {"APP_ID": APP, "APP_PASSWORD": "s3cret", "TENANT_ID": TENANT}


def loaded(**changes: str) -> Settings:
    given = {**TEAMS, **changes}
    return load({f"THREADLINE_TEAMS__{name}": value for name, value in given.items()}, Path("/"))


def problems(**changes: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        loaded(**changes)
    return caught.value.problems


def test_three_variables_are_enough() -> None:
    teams = loaded().teams
    assert (teams.on, teams.tenants) == (True, ())
    assert teams.openid_metadata_url == "https://login.botframework.com/v1/.well-known/openidconfiguration"
    assert teams.minted_at == f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"


@pytest.mark.parametrize("name", TEAMS)
def test_none_of_the_three_may_be_missing(name: str) -> None:
    assert problems(**{name: ""}) == [f"THREADLINE_TEAMS__{name} is missing: Teams needs all three"]


def test_ids_may_be_written_in_capitals() -> None:
    teams = loaded(APP_ID=APP.upper(), TENANTS=f"{OTHER.upper()}, {TENANT}").teams
    assert (teams.app_id, teams.tenants) == (APP, (OTHER, TENANT))


@pytest.mark.parametrize("name", ["APP_ID", "TENANT_ID", "TENANTS"])
@pytest.mark.parametrize("value", ["acme.onmicrosoft.com", APP[:-1], f"{APP}/"])
def test_what_is_no_id_is_said_at_the_start(name: str, value: str) -> None:
    [problem] = problems(**{name: value})
    assert problem.startswith(f"THREADLINE_TEAMS__{name} must be an id like ")


@pytest.mark.parametrize("name", ["OPENID_METADATA_URL", "TOKEN_URL", "SERVICE_URL"])
def test_keys_and_tokens_come_over_https_or_from_this_machine(name: str) -> None:
    assert problems(**{name: "http://login.test/"}) == [f"THREADLINE_TEAMS__{name} must begin with https://"]
    assert loaded(**{name: "http://127.0.0.1:4012/"}).teams.on
    assert loaded(**{name: "https://login.test/"}).teams.on
