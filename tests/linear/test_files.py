"""Files in Linear: found in texts, read with our token from one host only, and within limits."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import File, Image, TextFile, UnseenFile
from core.files import FILE_BYTES, FILES_AT_MOST, IMAGE_BYTES, TEXT_CHARS
from linear.client import StaticToken, TokenSource
from linear.files import (
    UPLOADS_ORIGIN,
    LinearFiles,
    Link,
    links_in,
    uploads_origin,
)
from tests.linear.fakes import RenewableToken

API_URL = "https://api.linear.app/graphql"
URL = f"{UPLOADS_ORIGIN}/org/1/shot.png"
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"

Answer = httpx.Response | Exception


@dataclass
class Uploads:
    """Answers by address and remembers who asked with which token."""

    answers: Mapping[str, Answer | Callable[[str], Answer]]
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        url, token = str(request.url), request.headers.get("Authorization")
        self.asked.append((url, token))
        answer = self.answers[url]
        answer = answer if isinstance(answer, httpx.Response | Exception) else answer(token or "")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def read(self, *texts: str, token: TokenSource | None = None) -> list[File]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self)) as http:
            return [*await LinearFiles(http, token or StaticToken("app-token"), API_URL).read(texts)]


def sent(body: bytes, content_type: str = "application/octet-stream", status: int = 200) -> httpx.Response:
    return httpx.Response(status, content=body, headers={"Content-Type": content_type})


def url(number: int) -> str:
    return f"{UPLOADS_ORIGIN}/org/{number}"


# Which files.


@pytest.mark.parametrize(
    ("text", "links"),
    [
        (f"See ![screen  shot]({URL}) here", [Link("screen shot", URL)]),
        (f"[log.txt]({URL} 'a title')", [Link("log.txt", URL)]),
        (f"![]({URL})", [Link("shot.png", URL)]),
        (f"Look at {URL}.", [Link("shot.png", URL)]),
        (f'<img src="{URL}"/>', [Link("shot.png", URL)]),
        (
            f"{UPLOADS_ORIGIN}/a%20b.png {UPLOADS_ORIGIN}/a%20b.png",
            [Link("a b.png", f"{UPLOADS_ORIGIN}/a%20b.png")],
        ),
        (UPLOADS_ORIGIN, []),
        ("![a](https://uploads.linear.app.evil.test/x.png)", []),
        ("![a](https://evil.test/https://uploads.linear.app/x.png)", []),
        ("![a](https://uploads.linear.app@evil.test/x.png)", []),
        ("![a](https://uploads.linear.app:8443/x.png)", []),
        ("![a](http://uploads.linear.app/x.png)", []),
    ],
)
def test_only_addresses_of_the_one_host_are_files(text: str, links: list[Link]) -> None:
    assert list(links_in([text, ""], UPLOADS_ORIGIN)) == links


@given(st.text(alphabet="[]()!<>\"' htps:/uloadsinearp.@x", max_size=60))
def test_any_text_names_files_of_that_host_or_none(text: str) -> None:
    assert all(link.url.startswith(f"{UPLOADS_ORIGIN}/") for link in links_in([text], UPLOADS_ORIGIN))


@pytest.mark.parametrize(
    ("api_url", "origin"),
    [(API_URL, UPLOADS_ORIGIN), ("http://127.0.0.1:4010/graphql", "http://127.0.0.1:4010")],
)
def test_a_stand_in_keeps_its_files_itself(api_url: str, origin: str) -> None:
    assert uploads_origin(api_url) == origin


# What is in them.


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0jpeg", "image/jpeg"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\x00\x01\x02\x03WEBPVP8 ", "image/webp"),
    ],
)
async def test_an_image_is_known_by_what_is_in_it(body: bytes, media_type: str) -> None:
    uploads = Uploads({URL: sent(body, "text/plain")})
    assert await uploads.read(f"![shot]({URL})") == [Image("shot", media_type, body)]
    assert uploads.asked == [(URL, "Bearer app-token")]


@pytest.mark.parametrize(
    ("answer", "file"),
    [
        (sent("a = 1 # ü".encode()), TextFile("f", "a = 1 # ü")),
        (sent(b"%PDF-1.7 \xff\xfe"), UnseenFile("f", "it is neither an image nor text")),
        (sent(b"a\0b"), UnseenFile("f", "it is neither an image nor text")),
        (sent(b"<svg/>", "image/svg+xml"), TextFile("f", "<svg/>")),
        (
            sent(b"<html>Log in</html>", "text/html; charset=utf-8"),
            UnseenFile("f", "Linear shows a page in its place"),
        ),
        (sent(b"", status=404), UnseenFile("f", "Linear answered 404")),
        (sent(b"", status=401), UnseenFile("f", "Linear did not send it")),
        (httpx.ReadTimeout("slow"), UnseenFile("f", "Linear did not send it")),
        (httpx.ConnectError("no route"), UnseenFile("f", "Linear did not send it")),
    ],
    ids=["text", "pdf", "binary", "svg", "page", "gone", "dead token", "timeout", "no route"],
)
async def test_what_the_model_cannot_take_is_named_with_the_reason(answer: Answer, file: File) -> None:
    assert await Uploads({URL: answer}).read(f"[f]({URL})") == [file]


async def test_a_token_that_was_refused_is_renewed_once() -> None:
    uploads = Uploads({URL: lambda token: sent(PNG, status=200 if token == "Bearer second" else 401)})
    token = RenewableToken("first", "second")
    assert await uploads.read(URL, token=token) == [Image("shot.png", "image/png", PNG)]
    assert token.dead == ["first"]


async def test_a_file_that_no_token_opens_is_named() -> None:
    uploads = Uploads({URL: sent(b"", status=401)})
    (file,) = await uploads.read(URL, token=RenewableToken("first", "second"))
    assert file == UnseenFile("shot.png", "Linear does not let the app read it")


# Redirects.


def redirect(target: str) -> httpx.Response:
    return httpx.Response(302, headers={"Location": target})


async def test_a_redirect_is_followed_without_the_token() -> None:
    storage = "https://storage.test/signed?x=1"
    uploads = Uploads({URL: redirect(storage), storage: sent(PNG)})
    assert await uploads.read(URL) == [Image("shot.png", "image/png", PNG)]
    assert uploads.asked == [(URL, "Bearer app-token"), (storage, None)]


async def test_the_token_is_not_sent_again_after_a_way_round() -> None:
    other, storage = "https://storage.test/back", f"{UPLOADS_ORIGIN}/org/2"
    uploads = Uploads({URL: redirect(other), other: redirect(storage), storage: sent(PNG)})
    await uploads.read(URL)
    assert [token for _, token in uploads.asked] == ["Bearer app-token", None, None]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("http://storage.test/x", "it lies at an address that is not safe"),
        ("file:///etc/passwd", "it lies at an address that is not safe"),
        (URL, "it is nowhere to be found"),
    ],
    ids=["not encrypted", "no web address", "in a circle"],
)
async def test_a_redirect_that_leads_nowhere_good_is_not_followed(target: str, why: str) -> None:
    uploads = Uploads({URL: redirect(target)})
    assert await uploads.read(URL) == [UnseenFile("shot.png", why)]
    assert [each for each, _ in uploads.asked] == [URL] * len(uploads.asked)


# Limits.


async def test_the_eleventh_file_is_not_read() -> None:
    uploads = Uploads({url(n): sent(b"text") for n in range(FILES_AT_MOST + 1)})
    *read, last = await uploads.read("\n".join(map(url, range(FILES_AT_MOST + 1))))
    assert [type(one) for one in read] == [TextFile] * FILES_AT_MOST
    assert last == UnseenFile("10", "only the first 10 files are read")
    assert len(uploads.asked) == FILES_AT_MOST


async def test_a_file_that_is_too_large_is_not_read_to_its_end() -> None:
    chunks = list[int]()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            chunks.append(1)
            yield b"x" * (1 << 20)

    uploads = Uploads({URL: httpx.Response(200, content=endless())})
    assert await uploads.read(URL) == [UnseenFile("shot.png", "it is too large")]
    assert len(chunks) == FILE_BYTES // (1 << 20) + 1


async def test_an_image_that_the_model_would_refuse_is_named() -> None:
    uploads = Uploads({URL: sent(PNG + b"x" * IMAGE_BYTES)})
    assert await uploads.read(URL) == [UnseenFile("shot.png", "it is too large for an image")]


async def test_together_files_are_limited_as_well() -> None:
    uploads = Uploads({url(n): sent(b"x" * FILE_BYTES) for n in range(5)})
    *read, last = await uploads.read(" ".join(map(url, range(5))))
    assert [type(one) for one in read] == [TextFile] * 4
    assert last == UnseenFile("4", "together the files are too large")


async def test_a_long_text_is_cut_and_says_so() -> None:
    (file,) = await Uploads({URL: sent(b"x" * (TEXT_CHARS + 1))}).read(URL)
    assert isinstance(file, TextFile)
    assert file.text == "x" * TEXT_CHARS + f"\n(cut here: {TEXT_CHARS + 1} characters in all)"


async def test_files_that_never_come_hold_nobody_up() -> None:
    hanging = asyncio.Event()

    async def hang(_: httpx.Request) -> httpx.Response:
        await hanging.wait()
        return sent(PNG)

    async with httpx.AsyncClient(transport=httpx.MockTransport(hang)) as http:
        files = LinearFiles(http, StaticToken("app-token"), API_URL, within_s=0.0)
        assert list(await files.read([URL])) == [UnseenFile("shot.png", "Linear did not send it")]
