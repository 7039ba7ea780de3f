"""What both sides told, side by side, and whether it is the same story. Pure."""

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Message = Mapping[str, Any]
Activity = Mapping[str, Any]

WIDTH = 58
BOT = "linear"
_MENTION = re.compile(r"<@\w+>\s*|^@\w+\s+")
_LINK = re.compile(r"<([^|>]+)\|([^>]+)>")
_QUOTE = re.compile(r"[*]*\w+ in (Slack|Teams|Linear):")
_FOR_US = re.compile(
    r"stop|follow \w+-\d+|approve|ready|merge( \w+)?|update branch|fix it|(request changes|comment): .*",
    re.IGNORECASE,
)
_SIGNS = {
    "whitecheckmark": "✅",
    "whiteheavycheckmark": "✅",
    "eyes": "👀",
    "hourglass": "⏳",
    "envelope": "📨",
}
_PULL = re.compile(
    r"\[?[\w.-]+/[\w.-]+ #\d+ · |(Approved|Merged|Closed|Marked ready for review) by "
    r"|\w+ (asked for changes|asked to merge it|merged|commented)|The pull request moved to "
)


def plain(text: str) -> str:
    """The words of a message: no mentions, links by their names, one kind of space."""
    return " ".join(_LINK.sub(r"\2", _MENTION.sub("", text)).split())


def said_in_chat(chat: Sequence[Message], place: str) -> list[str]:
    """What people asked of us in the thread, in order, as Linear should show it."""
    asked = [one for one in chat if one["author"] != BOT and one["reactions"] and not is_for_us(one)]
    return [f"{one['author']} in {place}: {plain(one['text'])}" for one in asked]


def is_for_us(message: Message) -> bool:
    """A command is obeyed, not quoted."""
    return _FOR_US.fullmatch(plain(message["text"])) is not None


def answers_in_chat(chat: Sequence[Message]) -> list[str]:
    """What we answered in the thread: everything but progress, and what people said elsewhere."""
    ours = [plain(one["text"]) for one in chat if one["author"] == BOT]
    return [text for text in ours if not (is_progress(text) or _QUOTE.match(text) or is_about_pull(text))]


def is_about_pull(text: str) -> bool:
    """Whether it shows a pull request, or tells what somebody did with it: each side in its own way."""
    return _PULL.match(text) is not None


def is_progress(text: str) -> bool:
    """Whether this is the progress message of a turn, ended or not."""
    return bool(re.match(r"(\w+-\d+ · )", text))


def differences(chat: Sequence[Message], session: Mapping[str, Any], place: str = "Slack") -> list[str]:
    """Where the two sides disagree; empty if they tell the same story."""
    history: Sequence[Activity] = session["history"]
    found = _unheard(chat, history, place)
    answered = _answers(history)
    if [_words(one) for one in answered] != [_words(one) for one in answers_in_chat(chat)]:
        found.append(f"answers differ: chat {answers_in_chat(chat)}, Linear {answered}")
    turns = [one for one in chat if one["author"] == BOT and is_progress(plain(one["text"]))]
    if len(turns) != sum(one["type"] in ("response", "error") for one in _told(history)):
        found.append(f"{len(turns)} progress messages for {len(answered)} answers")
    found += (f"still open: {plain(one['text'])}" for one in turns if not _ended(plain(one["text"])))
    found += _repeated(history)
    return found


def differences_since(chat: Sequence[Message], session: Mapping[str, Any], place: str) -> list[str]:
    """The same for a thread that began to follow the session later: it shows the end of the story."""
    history: Sequence[Activity] = session["history"]
    found = _unheard(chat, history, place)
    _, *told = answers_in_chat(chat)  # First of all we say that it is followed here.
    answered = _answers(history)[-len(told) :]
    if not told or [_words(one) for one in answered] != [_words(one) for one in told]:
        found.append(f"answers differ: {place} {told}, Linear {answered}")
    return found


def _unheard(chat: Sequence[Message], history: Sequence[Activity], place: str) -> list[str]:
    thoughts = [plain(one["body"]) for one in history if one["type"] == "thought"]
    shown = [one for one in thoughts if f" in {place}: " in one]
    said = said_in_chat(chat, place)
    return [] if shown == said else [f"prompts differ: {place} {said}, Linear {shown}"]


def _answers(history: Sequence[Activity]) -> list[str]:
    ours = ("response", "error", "elicitation")
    return [plain(one["body"]) for one in _told(history) if one["type"] in ours]


def _told(history: Sequence[Activity]) -> list[Activity]:
    return [one for one in history if not is_about_pull(plain(one.get("body") or ""))]


def _words(text: str) -> str:
    return re.sub(r"[*_`#>]", "", text)


def _ended(text: str) -> bool:
    return re.search(r" · (done|stopped|failed) ", text) is not None


def _repeated(history: Sequence[Activity]) -> Iterator[str]:
    seen: set[str] = set()
    for one in history:
        if one["id"] in seen:
            yield f"twice in Linear: {one['id']}"
        seen.add(one["id"])


def told_in_linear(session: Mapping[str, Any]) -> list[str]:
    """The session's feed, a line each."""
    lines = []
    for one in session["history"]:
        kind = f"{one['type']}{' (ephemeral)' if one['ephemeral'] else ''}"
        said = one.get("body") or f"{one['action']} {one['parameter']}"
        result = f" -> {one['result'].strip('` ').splitlines()[-1]}" if one.get("result") else ""
        lines.append(f"{kind}  {plain(said)}{result}")
    return lines


def told_in_chat(chat: Sequence[Message]) -> list[str]:
    """The thread, a line each, with what reactions say."""
    lines = []
    for one in chat:
        reactions = " ".join(_sign(name) for name in one["reactions"])
        edited = f" (edited {one['edited']}x)" if one["edited"] else ""
        lines.append(f"{one['author']}  {plain(one['text'])} {reactions}{edited}".rstrip())
    return lines


def _sign(reaction: str) -> str:
    """The emoji; Teams puts its code point before its name."""
    return next((sign for word, sign in _SIGNS.items() if word in reaction.replace("_", "")), f":{reaction}:")


def side_by_side(left: Sequence[str], right: Sequence[str], *, titles: tuple[str, str]) -> str:
    """Two columns of wrapped paragraphs."""
    columns = [_column(lines) for lines in (left, right)]
    height = max(map(len, columns))
    for column in columns:
        column += [""] * (height - len(column))
    rows = [f"{titles[0]:<{WIDTH}} │ {titles[1]}", f"{'─' * WIDTH}─┼─{'─' * WIDTH}"]
    rows += (f"{one:<{WIDTH}} │ {other}".rstrip() for one, other in zip(*columns, strict=True))
    return "\n".join(rows)


def _column(lines: Sequence[str]) -> list[str]:
    return [row for line in lines for row in textwrap.wrap(line, WIDTH, subsequent_indent="    ") or [""]]
