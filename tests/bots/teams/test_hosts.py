"""Where our token may go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from bots.teams.hosts import is_trusted

HOSTS = ("smba.trafficmanager.net", "*.botframework.com", "127.0.0.1")


@pytest.mark.parametrize(
    "url",
    [
        "https://smba.trafficmanager.net/amer/ac3e0000-0000-4000-8000-000000000001/",
        "https://SMBA.trafficmanager.net",
        "https://smba.trafficmanager.net:443/",
        "https://europe.botframework.com/",
        "https://a.b.botframework.com/",
        "http://127.0.0.1:4012/amer/t/",
    ],
)
def test_hosts_of_teams_are_trusted(url: str) -> None:
    assert is_trusted(url, HOSTS)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://smba.trafficmanager.net/",
        "https://smba.trafficmanager.net:8443/",
        "https://evil.test/",
        "https://botframework.com/",
        "https://evilbotframework.com/",
        "https://smba.trafficmanager.net.evil.test/",
        "https://smba.trafficmanager.net@evil.test/",
        "https://evil.test/smba.trafficmanager.net",
        "https://evil.test#.botframework.com",
        "https://evil.test?.botframework.com",
        "https://evil.test\\.botframework.com/",
        "https://smba.trafficmanager.net/?a=b",
        "https://smba.trafficmanager.net/\n",
        "ftp://smba.trafficmanager.net/",
        "//smba.trafficmanager.net/",
        "http://localhost:4012/",
        "http://127.0.0.1.evil.test/",
        "http://127.1/",
    ],
)
def test_others_are_not(url: str) -> None:
    assert not is_trusted(url, HOSTS)


def test_loopback_counts_only_where_it_is_listed() -> None:
    assert not is_trusted("http://127.0.0.1:4012/", ("smba.trafficmanager.net",))


@given(st.text(alphabet="htps:/.@\\#?[]%a1-*;\t botframework.com", max_size=40))
def test_what_is_trusted_is_read_by_the_client_as_one_of_the_hosts(rest: str) -> None:
    url = f"https://{rest}"
    if is_trusted(url, ["*.botframework.com"]):
        assert (URL(url).host or "").endswith(".botframework.com")
