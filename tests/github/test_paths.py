"""Whatever a name holds, the path stays the one that was meant."""

from urllib.parse import unquote

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from github.errors import BadName
from github.paths import path, repo_path, sha_of, split_repo

SHA = "a" * 40
TEMPLATES: dict[str, dict[str, str | int]] = {
    "/repos/{repo}/pulls/{number}/reviews/{id}": {"repo": "acme/shop", "number": 7, "id": 9},
    "/repos/{repo}/collaborators/{login}/permission": {"repo": "acme/shop", "login": "eve"},
    "/repos/{repo}/rules/branches/{branch}": {"repo": "acme/shop", "branch": "main"},
    "/repos/{repo}/commits/{sha}/check-runs": {"repo": "acme/shop", "sha": SHA},
    "/repos/{repo}/pulls/{number}/merge-async/{uuid}": {
        "repo": "acme/shop",
        "number": 7,
        "uuid": "0d9c1f7e-5a55-4a3e-9f52-0a3f7f5b8c11",
    },
    "/applications/{client_id}/grant": {"client_id": "Iv23liABC"},
    "/users/{login}": {"login": "threadline[bot]"},
}
HOSTILE = [
    "",
    ".",
    "..",
    "../../user",
    "acme/..",
    "../shop",
    "acme/shop/../../user",
    "acme/shop?x=1#",
    "acme/sh%2Fop",
    "acme/%2e%2e",
    "acme\\shop",
    "acme/shop\n",
    "acme/\x00",
    "alice/../bob",
    "eve?x",
    "eve#",
    "eve;x=1",
    "éve",
    "eve\u202e",
    "\ud800",
    "//evil.test/x",
    "http://evil.test",
    "@evil.test",
    "a" * 300,
    "-",
    "a/..",
    ".git",
    "a.lock",
    "a//b",
    "a/",
    "/a",
    "a..b",
    "a@{1}",
    "a b",
    "a~1",
    "a^",
    "a:b",
    "a*",
    "a[0]",
]


@pytest.mark.parametrize(
    ("template", "parts", "made"),
    [
        ("/repos/{repo}", {"repo": "acme/shop.js"}, "/repos/acme/shop.js"),
        ("/repos/{repo}/pulls/{number}", {"repo": "a_co/_x-y.z", "number": 1}, "/repos/a_co/_x-y.z/pulls/1"),
        ("/users/{login}", {"login": "threadline[bot]"}, "/users/threadline%5Bbot%5D"),
        ("/b/{branch}", {"branch": "ann/eng-1-ä"}, "/b/ann%2Feng-1-%C3%A4"),
        ("/b/{branch}", {"branch": "a%2e%2e"}, "/b/a%252e%252e"),
        ("/c/{sha}", {"sha": "b" * 64}, f"/c/{'b' * 64}"),
    ],
)
def test_a_good_name_is_encoded(template: str, parts: dict[str, str | int], made: str) -> None:
    assert path(template, **parts) == made


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("place", ["repo", "login", "sha", "uuid", "client_id", "number", "id"])
def test_a_hostile_name_is_refused(place: str, name: str) -> None:
    with pytest.raises(BadName):
        path(f"/x/{{{place}}}", **{place: name})


@pytest.mark.parametrize(
    "name", sorted({*HOSTILE} - {"acme/shop", "éve", "-", "eve;x=1", "eve#", "acme/%2e%2e"})
)
def test_a_hostile_branch_is_refused_or_stays_one_segment(name: str) -> None:
    try:
        made = path("/b/{branch}", branch=name)
    except BadName:
        return
    assert made.count("/") == 2
    assert name in {"@evil.test", "acme/sh%2Fop"}


@pytest.mark.parametrize("number", [0, -1, 1 << 63, True, "7"])
def test_what_only_looks_like_a_number_is_none(number: str | int) -> None:
    with pytest.raises(BadName):
        path("/x/{number}", number=number)


@pytest.mark.parametrize("sha", ["A" * 40, "a" * 39, "a" * 41, "a" * 7, "HEAD", "a" * 40 + "\n"])
def test_only_a_whole_commit_id_is_one(sha: str) -> None:
    with pytest.raises(BadName):
        sha_of(sha)


def test_a_complaint_does_not_repeat_the_name() -> None:
    with pytest.raises(BadName) as refused:
        repo_path("../ghp_0123456789abcdef0123")
    assert "ghp" not in str(refused.value)


def test_a_name_is_split_once() -> None:
    assert split_repo("acme/shop") == ("acme", "shop")


ANY_NAME = st.text(max_size=40) | st.sampled_from(HOSTILE)


@pytest.mark.parametrize("template", TEMPLATES)
@given(name=ANY_NAME, number=st.integers())
@example(name="..", number=-1)
def test_the_path_never_leaves_its_template(template: str, name: str, number: int) -> None:
    for place, good in TEMPLATES[template].items():
        odd: str | int = number if isinstance(good, int) else name
        try:
            made = path(template, **(TEMPLATES[template] | {place: odd}))
        except BadName:
            continue
        url = httpx.URL(f"https://api.github.test{made}")
        raw = url.raw_path.decode("ascii")
        assert (url.host, url.query, url.fragment) == ("api.github.test", b"", "")
        assert raw == made
        wanted = template.replace("{repo}", "{owner}/{name}").split("/")
        found = raw.split("/")
        assert len(found) == len(wanted)
        for meant, is_there in zip(wanted, found, strict=True):
            assert meant == is_there or meant.startswith("{")
            assert unquote(is_there) not in {".", ".."}
