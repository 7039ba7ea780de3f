"""Shows a session's log in a chat thread: one progress card per turn, everything final as its own message."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from core.activities import (
    Action,
    Answered,
    AuthAsked,
    AuthGiven,
    Author,
    Blocked,
    Blocker,
    Denied,
    Elicitation,
    Entry,
    Error,
    Fate,
    FateChanged,
    Logged,
    Notice,
    Prompt,
    Response,
    Thought,
    TurnEnded,
    TurnStarted,
)
from core.errors import DeliveryError, Refused
from core.ids import MessageRef, ThreadRef, TurnId
from core.mirror.budget import Limit
from core.mirror.cards import AnswerItem, ChatItem, FailureItem, NoticeItem, QuestionItem, QuoteItem, Render
from core.mirror.queue import Form, Priority, Skip, Snapshot, Solid
from core.mirror.sink import Delivered, Memory, Op, View
from core.mirror.story import UNTOLD, Story
from core.ports import ChatSurface, Linker, Payload, PrivateLink, Whisperer

CARD_INTERVAL_S = 2.0
CARDS_KEPT = 5
LINK_ACCOUNT = "Link account"
RUNS_BY_ITSELF = "What you ask for then runs by itself. The link is for you only, and counts for an hour."
PASSING_FATES = frozenset({Fate.QUEUED, Fate.DELIVERED})

SLACK_LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        # 80 % of Slack's tiers: one post a second in a channel; 50 edits, 50 reactions set and 20 taken
        # away a minute in a workspace.
        "post": Limit(capacity=4, per_s=0.8),
        "edit": Limit(capacity=20, per_s=40 / 60, reserve=4),
        "react": Limit(capacity=20, per_s=40 / 60, reserve=4),
        "move": Limit(capacity=10, per_s=16 / 60),
    }
)

Charge = Callable[[str, ThreadRef], str]
"""What pays for a "post", "edit", "react" or "move" in a thread: the name of a limit, `:` and whose it is."""


def slack_charge(do: str, thread: ThreadRef) -> str:
    """Slack counts posts by channel and everything else by workspace."""
    return f"post:{thread.conversation}" if do == "post" else do


_CARD_PRIORITIES: Mapping[type, Priority] = MappingProxyType(
    {Action: Priority.ACTION, Thought: Priority.THOUGHT}
)


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a message of ours stands for, so that it can be edited later: a turn's card or a question."""

    kind: str
    id: str


class ChatSink:
    """A projection into the threads of one chat surface.

    Chat platforms take no id of ours for a new message. A post whose outcome is unknown is therefore repeated
    with `again`, and only where the surface can read its thread back is it certainly not there twice.
    """

    def __init__(
        self,
        surface: ChatSurface,
        render: Render,
        name: str = "slack",
        limits: Mapping[str, Limit] = SLACK_LIMITS,
        charge: Charge = slack_charge,
        linker: Linker | None = None,
    ) -> None:
        self.name = name
        self._surface = surface
        self._render = render
        self._limits = limits
        self._charge = charge
        self._linker = linker

    def form(self, logged: Logged, story: Story, view: View) -> Form:
        match logged.entry:
            case Blocked(code=code) if code in UNTOLD:
                return Skip()
            case FateChanged(message=message, fate=fate):
                if str(message.thread) != view.target:
                    return Skip()
                # Urgent, so that a reaction never waits for the card before it.
                slot, passing = f"fate:{message.id}", fate in PASSING_FATES
                return Snapshot(slot, 0.0, Priority.PROMPT, urgent=True, passing=passing)
            case Prompt(author=author):
                return Skip() if author.surface == self.name else Solid(Priority.PROMPT)
            case Response() | Error():
                return Solid(Priority.TERMINAL, urgent=True)
            case Elicitation():
                return Solid(Priority.ELICITATION, urgent=True)
            case Notice() | AuthGiven() | Denied() if not self._is_told(logged.entry, view):
                return Skip()
            case TurnStarted() | Answered() | Notice() | AuthAsked() | Denied():
                # Somebody just wrote or clicked, and looks for an effect.
                return Solid(Priority.PROMPT, urgent=True)
            case TurnEnded(turn=turn):
                return _card_form(turn, logged.entry)
            case _:  # All the rest shows in the card of the turn that is on.
                return _card_form(story.turn, logged.entry)

    def _is_told(self, entry: Notice | AuthGiven | Denied, view: View) -> bool:
        match entry:
            case Notice(surface=surface):
                return surface in ("", self.name)
            case AuthGiven():
                return False  # What was waited for shows it.
            case Denied(thread=thread):
                return str(thread) == view.target

    def op(self, entries: Sequence[Logged], story: Story, view: View) -> Op | None:
        newest = entries[-1]
        match newest.entry:
            case FateChanged(message=message, fate=fate):
                return self._react(message, fate, view)
            case Answered() as answered:
                return self._close_question(answered, story, view)
            case Elicitation() as question:
                anchor = Anchor("questions", question.id)
                return self._post(QuestionItem(question), newest, view, anchor=anchor)
            case TurnStarted(turn=turn) | TurnEnded(turn=turn):
                return self._card(turn, newest, story, view)
            case AuthAsked() as asked:
                return self._ask_to_link(asked, newest, view)
            case Denied(person=person, body=body):
                return self._whisper(person, body, view)
            case entry if (item := _item(entry, story)) is not None:
                return self._post(item, newest, view)
            case _:
                return self._card(story.turn, newest, story, view)

    async def deliver(self, target: str, op: Op, *, again: bool) -> Delivered:
        call = op.call
        match call["do"]:
            case "post":
                thread = thread_of(target)
                posted = await self._surface.post(thread, call["payload"], key=call["key"], again=again)
                return Delivered(posted)
            case "edit":
                return await self._edit(thread_of(target), call, again=again)
            case "whisper":
                await self._tell_privately(thread_of(target), call)
                return Delivered()
            case _:
                message = MessageRef(thread_of(target), call["message"])
                await self._surface.react(message, add=_fate(call["add"]), remove=_fate(call["remove"]))
                return Delivered()  # Not the id: it is a message of theirs, not of ours.

    def remember(self, memory: Memory, op: Op, delivered: Delivered | None) -> Memory:
        call = op.call
        if call["do"] == "react":
            return memory if delivered is None else _with_fate(memory, call)
        if call["anchor"] is None:
            return memory
        kind, id = call["anchor"]
        known = dict(memory.get(kind, {}))
        was = known.pop(id, None)
        if call["closes"]:
            return {**memory, kind: known}
        known[id] = _anchored(was, delivered)
        # JSON keeps the order of insertion: the oldest goes first.
        return {**memory, kind: dict(list(known.items())[-CARDS_KEPT:])}

    def limit(self, cost: str) -> Limit:
        return self._limits[cost.partition(":")[0]]

    def trouble(self, error: DeliveryError) -> Blocker:
        del error  # For the people on the other side every kind of it means: later.
        return Blocker.CHAT_THROTTLED

    async def _edit(self, thread: ThreadRef, call: Mapping[str, Any], *, again: bool) -> Delivered:
        try:
            await self._surface.edit(MessageRef(thread, call["message"]), call["payload"])
        except Refused:
            if call["fresh"] is None:
                raise
            # Somebody deleted the card: one new one, then we take the hint.
            posted = await self._surface.post(thread, call["payload"], key=call["fresh"], again=again)
            return Delivered(posted)
        return Delivered(call["message"])

    def _post(self, item: ChatItem, logged: Logged, view: View, anchor: Anchor | None = None) -> Op | None:
        payloads = self._render(item)
        if view.part >= len(payloads):
            return None
        call = {
            "do": "post",
            "key": f"{view.session}/{self.name}/{logged.key}/{view.part}",
            "payload": payloads[view.part],
            **_anchoring(anchor),
        }
        cost = self._charge("post", thread_of(view.target))
        return Op(cost, call, more=view.part + 1 < len(payloads))

    def _ask_to_link(self, asked: AuthAsked, logged: Logged, view: View) -> Op | None:
        """A line that all can read, unless they have, and then the link for one person."""
        is_here = str(asked.thread) == view.target
        if view.part == 0 and not asked.is_known:
            where = "; the link is in a message that only they can see" if is_here else ""
            line = f"Waiting for {asked.person.name} to link an account at {asked.provider}{where}."
            call = {"do": "post", "key": f"{view.session}/{self.name}/{logged.key}/0"}
            payload = self._render(NoticeItem(line))[0]
            cost = self._charge("post", thread_of(view.target))
            return Op(cost, {**call, "payload": payload, **_anchoring(None)}, more=is_here)
        return self._whisper(asked.person, asked.body, view, provider=asked.provider) if is_here else None

    def _whisper(self, to: Author, body: str, view: View, *, provider: str | None = None) -> Op:
        call = {"do": "whisper", "to": [to.surface, to.id, to.name], "body": body, "provider": provider}
        return Op(self._charge("post", thread_of(view.target)), {**call, **_anchoring(None)})

    async def _tell_privately(self, thread: ThreadRef, call: Mapping[str, Any]) -> None:
        if not isinstance(self._surface, Whisperer):
            raise Refused(f"{self.name} shows nothing to one person alone")
        person, provider = Author(*call["to"]), call["provider"]
        if provider is None:
            await self._surface.whisper(thread, person, call["body"])
            return
        if self._linker is None:
            raise Refused(f"nobody can link an account at {provider} here")
        # Made now: the call is stored, and a link must not be.
        url = await self._linker.link_for(provider, person)
        link = PrivateLink(LINK_ACCOUNT, url)
        await self._surface.whisper(thread, person, f"{call['body']} {RUNS_BY_ITSELF}", link)

    def _card(self, turn: TurnId | None, logged: Logged, story: Story, view: View) -> Op | None:
        if turn is None or turn not in story.cards:
            return None
        card, anchor = story.cards[turn], Anchor("cards", turn)
        shown = view.memory.get("cards", {}).get(turn)
        if shown is None:
            return self._post(card, logged, view, anchor)
        if shown["id"] is None:
            return None
        fresh = None if shown["renewed"] else f"{view.session}/{self.name}/{logged.key}/fresh"
        return self._replace(shown["id"], self._render(card)[0], anchor, view, fresh=fresh)

    def _close_question(self, answered: Answered, story: Story, view: View) -> Op | None:
        shown = view.memory.get("questions", {}).get(answered.elicitation)
        question = story.questions.get(answered.elicitation)
        if question is None or shown is None or shown["id"] is None:
            return None
        payload = self._render(QuestionItem(question, answered))[0]
        anchor = Anchor("questions", answered.elicitation)
        return self._replace(shown["id"], payload, anchor, view, closes=True)

    def _replace(
        self,
        message: str,
        payload: Payload,
        anchor: Anchor,
        view: View,
        *,
        fresh: str | None = None,
        closes: bool = False,
    ) -> Op:
        call = {"do": "edit", "message": message, "payload": payload, "fresh": fresh}
        cost = self._charge("edit", thread_of(view.target))
        return Op(cost, {**call, **_anchoring(anchor, closes=closes)})

    def _react(self, message: MessageRef, fate: Fate, view: View) -> Op | None:
        last: str | None = view.memory.get("fates", {}).get(message.id)
        add = None if fate is Fate.WITHDRAWN else fate.value
        if add == last:
            return None
        call = {"do": "react", "message": message.id, "add": add, "remove": last}
        return Op(self._charge("react" if last is None else "move", thread_of(view.target)), call)


def thread_of(target: str) -> ThreadRef:
    """The thread that `str(thread)` names; of its four parts only the conversation may hold a slash."""
    surface, _, rest = target.partition(":")
    install, _, rest = rest.partition("/")
    conversation, _, root = rest.rpartition("/")
    return ThreadRef(surface, install, conversation, root)


def _item(entry: Entry, story: Story) -> ChatItem | None:
    """The message of its own that shows `entry`; None if it only changes the card."""
    match entry:
        case Response(body=body):
            return AnswerItem(body, story.author)
        case Error():
            return FailureItem(entry, story.author)
        case Prompt(author=author, body=body):
            return QuoteItem(author, body)
        case Notice(body=body):
            return NoticeItem(body)
        case _:
            return None


def _card_form(turn: TurnId | None, entry: Entry) -> Form:
    if turn is None:
        return Skip()
    priority = _CARD_PRIORITIES.get(type(entry), Priority.PLAN)
    return Snapshot(f"card:{turn}", CARD_INTERVAL_S, priority)


def _anchoring(anchor: Anchor | None, *, closes: bool = False) -> dict[str, object]:
    return {"anchor": None if anchor is None else [anchor.kind, anchor.id], "closes": closes}


def _fate(value: str | None) -> Fate | None:
    return None if value is None else Fate(value)


def _with_fate(memory: Memory, call: Mapping[str, Any]) -> Memory:
    fates = {id: fate for id, fate in memory.get("fates", {}).items() if id != call["message"]}
    if call["add"] not in (None, Fate.DONE):
        fates[call["message"]] = call["add"]
    return {**memory, "fates": fates}


def _anchored(was: Mapping[str, Any] | None, delivered: Delivered | None) -> dict[str, object]:
    """What is known of a card or question after a post or an edit of it."""
    if was is None:
        return {"id": None if delivered is None else delivered.id, "renewed": False}
    if delivered is None:
        # Refused once: the payload may be at fault. Refused again: nobody wants the card there.
        return {"id": None if was["renewed"] else was["id"], "renewed": True}
    return {"id": delivered.id, "renewed": was["renewed"] or delivered.id != was["id"]}
