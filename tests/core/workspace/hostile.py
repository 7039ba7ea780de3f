"""Names that are not what they seem."""

REFS = (
    "",
    " ",
    "-",
    "-f",
    "--upload-pack=touch ran",
    "--exec=touch ran",
    "a\u2028b",
    ":main",
    "main:other",
    "@",
    "@{-1}",
    "a@{1}",
    "HEAD",
    "FETCH_HEAD",
    "ORIG_HEAD",
    "refs",
    "refs/heads/x",
    "refs/../../x",
    "..",
    "a..b",
    "../x",
    "a/../b",
    "/a",
    "a/",
    "a//b",
    ".a",
    "a/.b",
    "a.",
    "a.lock",
    "a.lock/b",
    "a b",
    "a\tb",
    "a\nb",
    "a\rb",
    "a\0b",
    "a\x1b[31m",
    "a\x7f",
    "a~1",
    "a^",
    "a?",
    "a*",
    "a[b",
    "a\\b",
    "a\u202eb",
    "a\u200bb",
    "a" * 300,
    "0123456789012345678901234567890123456789",
)
"""Nobody's branch, whatever git itself says of some of them."""

SHELL = (
    "$(id)",
    ";id",
    "&&id",
    "`id`",
    "a|b",
    "a>b",
    "a'b",
    'a"b',
    "a;b",
    "ümlaut",
    "+main",
    "a#b",
    "a+b",
    "a=b",
)
"""Git takes them, and repositories may have them; we make none of them."""

GIT_FOLDERS = (
    ".git",
    ".GIT",
    ".Git",
    ".gIt",
    "git~1",
    "GIT~1",
    "git~2",
    ".git.",
    ".git ",
    ".git...",
    ".git . .",
    ".git::$INDEX_ALLOCATION",
    ".git:x",
    ".g\u200cit",
    ".gi\u200dt",
    ".git\u200e",
    "\ufeff.git",
    ".g\u206fit",
    ".\uff47it",
    "\uff0egit",
)

_DEVICES = ("CON", "NUL", "aux.txt", "COM1", "lpt9.log", "PRN.md")
FILES: tuple[tuple[bytes, bool], ...] = (
    *((name.encode(), True) for name in GIT_FOLDERS),
    *((f"a/{name}/hooks/post-checkout".encode(), True) for name in GIT_FOLDERS),
    *(
        (name, True)
        for name in (b"/etc/passwd", b"../x", b"a/../../x", b"a/..", b"..", b".", b"./a", b"a/./b")
    ),
    *((name, True) for name in (b"", b"/", b"a//b", b"a/", b"\\x", b"..\\x", b"a\\..\\x", b"a\\.git\\x")),
    *((name, True) for name in (b"C:x", b"c:/x", b"Z:\\x")),
    *((b"a%sb" % bytes([code]), True) for code in (0, 1, 7, 8, 9, 10, 13, 27, 31, 127)),
    *((f"a{chr(code)}b".encode(), True) for code in (0x80, 0x85, 0x9B, 0xAD, 0x200B, 0x200D, 0x2028, 0x202E)),
    *((f"a{chr(code)}b".encode(), True) for code in (0x2060, 0x2066, 0x2069, 0xE0001, 0xE0041, 0xFEFF)),
    *(
        (name, True)
        for name in (b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xc0\xae\xc0\xae/x", b"\xf8\x88\x80\x80\x80")
    ),
    *((name, True) for name in (b"a" * 256, b"a/" + b"b" * 300, b"a/" * 2100 + b"b", "ü".encode() * 128)),
    *((name.encode(), False) for name in _DEVICES),
    *((name.encode(), False) for name in ("a b", "-x", "--force", "$(id)", ";id", "`id`", "a'b", ":(glob)x")),
    *((name.encode(), False) for name in ("ünï.py", "日本語.md", "🚀.txt", ".gitignore", ".gitattributes")),
    *(
        (name.encode(), False)
        for name in ("git", "gitx~1", ".github/x", "a.git/x", "...", "a...b", "%2e%2e/x")
    ),
    *((name.encode(), False) for name in ("README", "readme", "@{u}", "HEAD", "refs/heads/main", "a*b?[c]")),
)
"""Names of files, and whether a new one of that name must stay here."""
