"""Secrets in lines that are about to leave. All of them are made up, and in two parts."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.redact import Redactor
from core.workspace.patches import Added
from core.workspace.secrets import KINDS, KNOWN, Found, secrets_in, secrets_in_names

_ALNUM = string.ascii_letters + string.digits
_chance = random.Random(7)


def some(count: int, alphabet: str = _ALNUM) -> str:
    return "".join(_chance.choice(alphabet) for _ in range(count))


HEX = "0123456789abcdef"
SECRETS = [
    ("ghp_" + some(36), "GitHub token"),
    ("gho_" + some(36), "GitHub token"),
    ("ghs_" + some(7, string.digits) + "_" + some(200) + "." + some(90) + "-" + some(30), "GitHub token"),
    ("github_pat_" + some(22) + "_" + some(59), "GitHub token"),
    ("glpat-" + some(20), "GitLab token"),
    ("xoxb-" + some(12, string.digits) + "-" + some(13, string.digits) + "-" + some(24), "Slack token"),
    ("xoxe.xoxp-" + "1-" + some(100), "Slack token"),
    (
        "xapp-" + "1-A" + some(9, string.digits) + "-" + some(13, string.digits) + "-" + some(64, HEX),
        "Slack token",
    ),
    ("https://hooks.slack." + "com/services/T" + some(8) + "/B" + some(8) + "/" + some(24), "Slack webhook"),
    ("lin_api_" + some(40), "Linear key"),
    ("lin_oauth_" + some(64, HEX), "Linear key"),
    ("lin_wh_" + some(40), "Linear key"),
    ("sk-ant-" + "api03-" + some(90) + "-AA", "Anthropic key"),
    ("sk-ant-" + "oat01-" + some(90), "Anthropic key"),
    ("sk-" + "proj-" + some(80), "OpenAI key"),
    ("sk-" + some(48), "OpenAI key"),
    ("AKIA" + some(16, string.ascii_uppercase + "234567"), "AWS key"),
    ("aws_secret_access_key = " + some(40), "AWS key"),
    ("AIza" + some(35), "Google key"),
    ("GOCSPX-" + some(28), "Google key"),
    ("DefaultEndpointsProtocol=https;AccountKey=" + some(86) + "==", "Azure key"),
    ("npm_" + some(36), "npm token"),
    ("pypi-" + "AgEIcHlwaS5vcmc" + some(60), "PyPI token"),
    ("sk_live_" + some(24), "Stripe key"),
    ("SG." + some(22) + "." + some(43), "SendGrid key"),
    ("hf_" + some(34, string.ascii_letters), "Hugging Face token"),
    ("dop_v1_" + some(64, HEX), "DigitalOcean token"),
    ("shpat_" + some(32, HEX), "Shopify token"),
    (some(9, "123456789") + ":AA" + some(33), "Telegram token"),
    ("postgres://shop:" + some(16) + "@db.acme.test/shop", "login in an address"),
    ("-----BEGIN RSA " + "PRIVATE KEY-----", "private key"),
    ("-----BEGIN " + "PRIVATE KEY-----", "private key"),
]
HARMLESS = [
    "",
    "token = os.environ['GITHUB_TOKEN']",
    "ghp_short",
    "ghp_" + "x" * 36,
    "GITHUB_TOKEN=ghp_your_token_goes_here_please",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "https://user:password@host/x",
    "postgres://postgres:postgres@localhost/test",
    "postgres://${USER}:${PASSWORD}@host/db",
    "git clone ssh://git@github.com/acme/shop.git",
    "https://github.com/acme/shop/blob/main/a.py#L10",
    "Authorization: Bearer <token>",
    "sk-learn is not a key, and neither is sk-proj-ects",
    "-----BEGIN PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    '"integrity": "sha512-' + some(86) + '=="',
    "desk-" + some(48),
    "the xoxo-brand, AIza, npm_install, SG.x, hf_model and shpat_ prefix",
    "class sk_live_reload: pass",
    "npm_" + "config_registry_is_what_npm_reads_it_from",
]


def found_in(*lines: str) -> list[Found]:
    return list(secrets_in([Added(b"a.py", tuple(enumerate(lines, 1)))]))


@pytest.mark.parametrize(("secret", "kind"), SECRETS, ids=[kind for _, kind in SECRETS])
@pytest.mark.parametrize("form", ["{}", 'KEY = "{}"', "export X={}; y", "- key: '{}'", "f({}, 1)", "\t{}\r"])
def test_secrets_are_found_wherever_they_stand(secret: str, kind: str, form: str) -> None:
    assert found_in("a = 1", form.format(secret), "b = 2") == [Found(b"a.py", 2, kind)]


def test_every_kind_has_an_example() -> None:
    assert {kind for _, kind in SECRETS} == set(KINDS)


@pytest.mark.parametrize("line", HARMLESS)
def test_what_only_looks_like_one_is_left_alone(line: str) -> None:
    assert found_in(line) == []


@pytest.mark.parametrize(("secret", "kind"), SECRETS, ids=[kind for _, kind in SECRETS])
def test_what_is_said_about_it_does_not_tell_it(secret: str, kind: str) -> None:
    (found,) = found_in(secret)
    assert secret not in f"{found} {found!r}"
    assert str(found) == f"a.py:1 ({kind})"


def test_a_line_with_two_of_a_kind_is_named_once_and_two_lines_twice() -> None:
    one, two = "ghp_" + some(36), "ghp_" + some(36)
    assert [found.line for found in found_in(f"{one} {two}", two)] == [1, 2]


def test_a_secret_of_ours_is_known_by_its_value() -> None:
    lines = [Added(b"a.py", ((7, "x = 'opensesame-1'"), (9, "https://ann:pw@host/ is fine")))]
    assert list(secrets_in(lines, Redactor(["opensesame-1"]))) == [Found(b"a.py", 7, KNOWN)]
    assert list(secrets_in(lines, Redactor())) == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize(("secret", "kind"), SECRETS, ids=[kind for _, kind in SECRETS])
def test_wider_characters_do_not_hide_it(secret: str, kind: str, encoding: str) -> None:
    file = f"a = 1\nKEY = '{secret}'\n".encode(encoding)
    lines = [line.decode(errors="replace") for line in file.split(b"\n")]
    assert found_in(*lines) == [Found(b"a.py", 2, kind)]


def test_wider_characters_do_not_hide_ours() -> None:
    line = "x = 'opensesame-1'".encode("utf-16").decode(errors="replace")
    lines = [Added(b"a.py", ((1, line),))]
    assert list(secrets_in(lines, Redactor(["opensesame-1"]))) == [Found(b"a.py", 1, KNOWN)]


@pytest.mark.parametrize(("secret", "kind"), [one for one in SECRETS if "/" not in one[0]][:10])
def test_a_name_with_one_in_it_is_found_and_not_told(secret: str, kind: str) -> None:
    (found,) = secrets_in_names([b"plain.py", f"keys/{secret}.txt".encode(), f"keys/{secret}.txt".encode()])
    assert (found.line, found.kind) == (0, kind)
    assert secret not in f"{found} {found!r}"
    assert str(found).startswith("the name of keys/")


def test_a_name_with_ours_in_it_is_found_and_not_told() -> None:
    (found,) = secrets_in_names([b"keys/opensesame-1"], Redactor(["opensesame-1"]))
    assert found.kind == KNOWN
    assert "opensesame" not in f"{found} {found!r}"


@given(st.lists(st.text(max_size=80), max_size=5), st.sampled_from(SECRETS))
def test_nothing_around_it_hides_it(lines: list[str], secret: tuple[str, str]) -> None:
    every = [*lines, f" {secret[0]} ", *lines]
    assert Found(b"a.py", len(lines) + 1, secret[1]) in found_in(*every)
