"""Shows a session's log in a chat thread: one progress card per turn, everything final as its own message."""

from collections.abc import Callable, Mapping, Sequence
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
    ConfirmAsked,
    Denied,
    Elicitation,
    Entry,
    Error,
    Fate,
    FateChanged,
    Logged,
    Notice,
    Prompt,
    PullActed,
    PullShown,
    Response,
    Thought,
    TurnEnded,
    TurnStarted,
)
from core.errors import DeliveryError, Refused
from core.ids import MessageRef, ThreadRef, TurnId
from core.mirror.anchors import Anchor, anchoring, known_of, remembered
from core.mirror.budget import Limit
from core.mirror.cards import (
    AnswerItem,
    ChatItem,
    FailureItem,
    NoticeItem,
    ProgressCard,
    PullItem,
    QuestionItem,
    QuoteItem,
    Render,
)
from core.mirror.queue import Form, Priority, Skip, Snapshot, Solid
from core.mirror.refusals import loss_of, private_loss
from core.mirror.sink import Delivered, Memory, Op, View
from core.mirror.story import UNTOLD, Story
from core.ports import ChatSurface, Linker, Payload, PrivateButton, PrivateLink, Whisperer
from core.pulls import PullAction

CARD_INTERVAL_S = 2.0
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


class ChatSink:
    """A projection into the threads of one chat surface.

    Chat platforms take no id of ours for a new message. A post whose outcome is unknown is therefore told to
    be one with `again`: the surface finds the message, or says that it may be there.
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
            case FateChanged() as change:
                return _fate_form(change, view)
            case Prompt(author=author):
                return Skip() if author.surface == self.name else Solid(Priority.PROMPT)
            case Response() | Error():
                return Solid(Priority.TERMINAL, urgent=True)
            case Elicitation():
                return Solid(Priority.ELICITATION, urgent=True)
            case PullShown() | PullActed() as news:
                return _pull_form(news, story)
            case Notice() | AuthGiven() | Denied() | ConfirmAsked() if not self._is_told(logged.entry, view):
                return Skip()
            case TurnStarted() | Answered() | Notice() | AuthAsked() | Denied() | ConfirmAsked():
                # Somebody just wrote or clicked, and looks for an effect.
                return Solid(Priority.PROMPT, urgent=True)
            case TurnEnded(turn=turn):
                return _card_form(turn, logged.entry)
            case _:  # All the rest shows in the card of the turn that is on.
                return _card_form(story.turn, logged.entry)

    def _is_told(self, entry: Notice | AuthGiven | Denied | ConfirmAsked, view: View) -> bool:
        match entry:
            case Notice(surface=surface):
                return surface in ("", self.name)
            case AuthGiven():
                return False  # What was waited for shows it.
            case Denied(thread=thread) | ConfirmAsked(thread=thread):
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
                return self._post(QuestionItem(question), newest, story, view, anchor=anchor)
            case TurnStarted(turn=turn) | TurnEnded(turn=turn):
                return self._card(turn, newest, story, view)
            case PullShown() | PullActed() as news:
                return self._pull(news, newest, story, view)
            case AuthAsked() as asked:
                return self._ask_to_link(asked, newest, view)
            case Denied() | ConfirmAsked() as told:
                words, buttons = _private_words(told), _private_buttons(told)
                return self._whisper(told.person, words, newest, view, buttons=buttons)
            case entry if (item := _item(entry, story)) is not None:
                return self._post(item, newest, story, view)
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
        return remembered(memory, op.call, delivered)

    def instead(self, op: Op, words: str) -> Op:
        call = {"do": "post", "key": f"{op.call['key']}/line", "payload": self._render(NoticeItem(words))[0]}
        # What is edited later finds its place under the line.
        return Op(op.cost, {**call, "anchor": op.call["anchor"], "closes": False})

    def limit(self, cost: str) -> Limit:
        return self._limits[cost.partition(":")[0]]

    def trouble(self, error: DeliveryError) -> Blocker:
        # For the people on the other side every other kind of it means: later.
        return Blocker.CHAT_REFUSED if isinstance(error, Refused) else Blocker.CHAT_THROTTLED

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

    def _post(
        self, item: ChatItem, logged: Logged, story: Story, view: View, anchor: Anchor | None = None
    ) -> Op | None:
        payloads = self._render(item)
        if view.part >= len(payloads):
            return None
        call = {
            "do": "post",
            "key": f"{view.session}/{self.name}/{logged.key}/{view.part}",
            "payload": payloads[view.part],
            **anchoring(anchor),
        }
        cost = self._charge("post", thread_of(view.target))
        loss = loss_of(logged, story, part=view.part)
        return Op(cost, call, more=view.part + 1 < len(payloads), loss=loss)

    def _ask_to_link(self, asked: AuthAsked, logged: Logged, view: View) -> Op | None:
        """A line that all can read, unless they have, and then the link for one person."""
        is_here = str(asked.thread) == view.target
        if view.part == 0 and not asked.is_known:
            where = "; the link is in a message that only they can see" if is_here else ""
            line = f"Waiting for {asked.person.name} to link an account at {asked.provider}{where}."
            call = {"do": "post", "key": f"{view.session}/{self.name}/{logged.key}/0"}
            payload = self._render(NoticeItem(line))[0]
            cost = self._charge("post", thread_of(view.target))
            return Op(cost, {**call, "payload": payload, **anchoring(None)}, more=is_here)
        if not is_here:
            return None
        return self._whisper(asked.person, asked.body, logged, view, provider=asked.provider)

    def _whisper(
        self,
        to: Author,
        body: str,
        logged: Logged,
        view: View,
        *,
        provider: str | None = None,
        buttons: Sequence[Sequence[str]] = (),
    ) -> Op:
        call = {
            "do": "whisper",
            "key": f"{view.session}/{self.name}/{logged.key}/whisper",
            "to": [to.surface, to.id, to.name],
            "body": body,
            "provider": provider,
            "buttons": [*map(list, buttons)],
            **anchoring(None),
        }
        cost = self._charge("post", thread_of(view.target))
        return Op(cost, call, loss=private_loss(logged, to))

    async def _tell_privately(self, thread: ThreadRef, call: Mapping[str, Any]) -> None:
        if not isinstance(self._surface, Whisperer):
            raise Refused(f"{self.name} shows nothing to one person alone")
        person, provider = Author(*call["to"]), call["provider"]
        if provider is None:
            buttons = [
                PrivateButton(label, card, PullAction(action))
                for label, card, action in call.get("buttons", ())
            ]
            await self._surface.whisper(thread, person, call["body"], buttons=buttons)
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
        return self._keep(story.cards[turn], Anchor("cards", turn), logged, story, view)

    def _pull(self, news: PullShown | PullActed, logged: Logged, story: Story, view: View) -> Op | None:
        shown = news if isinstance(news, PullShown) else story.pull
        if shown is None:
            return None
        anchor = Anchor("pulls", shown.turn or "")
        if shown.is_stale:
            return self._end(PullItem(shown), anchor, view)
        return self._keep(PullItem(shown, story.acts, story.unseen_acts), anchor, logged, story, view)

    def _keep(
        self, item: ProgressCard | PullItem, anchor: Anchor, logged: Logged, story: Story, view: View
    ) -> Op | None:
        """Post what is not there yet, else edit it in place."""
        known, is_passing = known_of(view.memory, anchor), _is_passing(item)
        if known is None or (known["id"] is None and isinstance(item, PullItem)):
            return self._post(item, logged, story, view, anchor)
        if known["id"] is None or (known.get("refused") and is_passing):
            return None
        fresh = None if known["renewed"] else f"{view.session}/{self.name}/{logged.key}/fresh"
        return self._replace(known["id"], self._render(item)[0], anchor, view, fresh=fresh)

    def _close_question(self, answered: Answered, story: Story, view: View) -> Op | None:
        question = story.questions.get(answered.elicitation)
        if question is None:
            return None
        return self._end(QuestionItem(question, answered), Anchor("questions", question.id), view)

    def _end(self, item: ChatItem, anchor: Anchor, view: View) -> Op | None:
        """Edit it for the last time; None if nobody has seen it, or somebody removed it."""
        known = known_of(view.memory, anchor)
        if known is None or known["id"] is None:
            return None
        return self._replace(known["id"], self._render(item)[0], anchor, view, closes=True)

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
        return Op(cost, {**call, **anchoring(anchor, closes=closes)})

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


def _is_passing(item: ProgressCard | PullItem) -> bool:
    """Whether something newer will take its place, so that it need not be tried again and again."""
    return isinstance(item, ProgressCard) and item.outcome is None


def _private_words(told: Denied | ConfirmAsked) -> str:
    if isinstance(told, Denied):
        return told.body
    return f"{told.body} Write `{told.word}` in the thread to confirm it."


def _private_buttons(told: Denied | ConfirmAsked) -> Sequence[Sequence[str]]:
    return [(told.label, told.card, told.action.value)] if isinstance(told, ConfirmAsked) else []


def _fate_form(change: FateChanged, view: View) -> Form:
    if str(change.message.thread) != view.target:
        return Skip()
    # Urgent, so that a reaction never waits for the card before it.
    slot, passing = f"fate:{change.message.id}", change.fate in PASSING_FATES
    return Snapshot(slot, 0.0, Priority.PROMPT, urgent=True, passing=passing)


def _pull_form(news: PullShown | PullActed, story: Story) -> Form:
    """One message below each turn's answer; what people do with it changes the newest."""
    shown = news if isinstance(news, PullShown) else story.pull
    return Snapshot(f"pull:{shown.turn}", CARD_INTERVAL_S, Priority.PROMPT) if shown else Skip()


def _card_form(turn: TurnId | None, entry: Entry) -> Form:
    if turn is None:
        return Skip()
    priority = _CARD_PRIORITIES.get(type(entry), Priority.PLAN)
    return Snapshot(f"card:{turn}", CARD_INTERVAL_S, priority)


def _fate(value: str | None) -> Fate | None:
    return None if value is None else Fate(value)
