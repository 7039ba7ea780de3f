"""The people's side: what members do, and what the bot then hears."""

from collections.abc import Iterable, Mapping

from playground.slack_clock import Clock
from playground.teams_activities import deleted, edited, installed, membership, reaction, said
from playground.teams_delivery import Dispatcher, Receipt
from playground.teams_files import Files
from playground.teams_html import typed
from playground.teams_presses import Presses
from playground.teams_state import BOT, Conversation, Draft, Kind, Message, Person, Workspace
from playground.teams_wire import Refused, Wire


class People:
    """Acts as any person; except for `click` and `look`, methods return before activities are delivered.

    Raises `Refused` when the person could not do that.
    """

    def __init__(
        self, workspace: Workspace, clock: Clock, dispatcher: Dispatcher, files: Files, presses: Presses
    ) -> None:
        self._workspace = workspace
        self._clock = clock
        self._dispatcher = dispatcher
        self._files = files
        self._presses = presses

    def say(
        self,
        user: str,
        conversation: str,
        text: str,
        root: str | None = None,
        *,
        files: Mapping[str, bytes] | None = None,
        images: Mapping[str, bytes] | None = None,
        html: str | None = None,
    ) -> str:
        """Post as `user` (or another bot, `28:alerts`); the message's id.

        Args:
            user: Such as `29:ann`.
            conversation: Its id without a thread; `personal_chat(user)` for the chat with the bot.
            text: As typed; see `teams_html.typed`. `<at>linear</at>` mentions the bot.
            root: The message that began the thread, in channels.
            files: Name -> content.
            images: Pasted pictures, name -> content.
            html: What the client makes of the text, if not as usual.
        """
        home = self._workspace.home_of(user, conversation)
        attachments, markup = self._files.share(home, files or {}, images or {})
        draft = self._draft(text, html, markup)
        draft.root, draft.attachments = root, tuple(attachments)
        person = self._workspace.person(user)
        message = self._workspace.post(person, conversation, draft, self._clock.now())
        if self._hears(home, message):
            message.was_told = True
            self._dispatcher.publish(said(self._workspace, message))
        return message.id

    def mention(self, user: str, conversation: str, text: str, root: str | None = None) -> str:
        """Say it to the bot by its name; the message's id."""
        return self.say(user, conversation, f"<at>{self._workspace.bot.name}</at> {text}", root)

    def edit(self, user: str, conversation: str, message: str, text: str) -> None:
        """Other words; the bot hears of it if it heard the first ones."""
        found = self._workspace.own(self._workspace.person(user), conversation, message)
        self._workspace.rewrite(found, self._draft(text, None, ""), self._clock.now())
        self._tell(found, edited(self._workspace, found, self._clock.now()))

    def delete(self, user: str, conversation: str, message: str) -> None:
        found = self._workspace.own(self._workspace.person(user), conversation, message)
        found.deleted = True
        self._tell(found, deleted(self._workspace, found, self._clock.now()))

    def undelete(self, user: str, conversation: str, message: str) -> None:
        """Take a deletion back."""
        found = self._workspace.home_of(user, conversation).messages.get(message)
        if found is None or not found.deleted or found.author.id != user:
            raise Refused("ActivityNotFoundInConversation", message)
        found.deleted = False
        now = self._clock.now()
        self._tell(found, edited(self._workspace, found, now, event="undeleteMessage"))

    def react(self, user: str, conversation: str, message: str, name: str) -> None:
        """Add a reaction (`like`, `1f440_eyes`, ...); the bot hears of those to its own messages."""
        if self._workspace.react(user, conversation, message, name):
            self._tell_reaction(user, conversation, message, name, added=True)

    def unreact(self, user: str, conversation: str, message: str, name: str) -> None:
        if self._workspace.unreact(user, conversation, message, name):
            self._tell_reaction(user, conversation, message, name, added=False)

    async def click(
        self,
        user: str,
        conversation: str,
        message: str,
        title: str,
        *,
        inputs: Mapping[str, str] | None = None,
        is_old_client: bool = False,
    ) -> Receipt:
        """See `Presses.click`."""
        return await self._presses.click(
            user, conversation, message, title, inputs=inputs, is_old_client=is_old_client
        )

    async def look(self, user: str, conversation: str, message: str) -> Receipt | None:
        """See `Presses.look`."""
        return await self._presses.look(user, conversation, message)

    def install(self, user: str, conversation: str) -> None:
        """Add the app to a conversation; consent for all messages stays as it is."""
        home = self._workspace.conversation(conversation)
        home.members.add(BOT)
        self._tell_installed(user, home, added=True)

    def uninstall(self, user: str, conversation: str) -> None:
        """Remove the app: it hears of that, and is no member any more."""
        home = self._workspace.home_of(BOT, conversation)
        home.members.discard(BOT)
        self._tell_installed(user, home, added=False)

    def consent(self, conversation: str, *, reads_all: bool) -> None:
        """Whether the bot gets messages of a channel or group that do not mention it."""
        self._workspace.conversation(conversation).reads_all = reads_all

    def block(self, *, is_blocked: bool = True) -> None:
        """An admin disables the app: it hears nothing and may do nothing."""
        self._workspace.is_blocked = is_blocked

    def move(self, region: str, *, retire_old: bool = False) -> None:
        """Another `serviceUrl` from now on; the old one answers still, unless it is retired."""
        self._workspace.region = region
        self._workspace.regions = {region} if retire_old else self._workspace.regions | {region}

    def create(self, conversation: str, name: str, kind: Kind, members: Iterable[str]) -> None:
        """Make a conversation with that id; the bot is in it only if it is among `members`."""
        if conversation in self._workspace.conversations:
            raise Refused("NameTaken", conversation)
        people = {self._workspace.person(user).id for user in members}
        self._workspace.conversations[conversation] = Conversation(conversation, kind, name, people)

    def join(self, user: str, conversation: str) -> None:
        self._come_or_go(user, conversation, added=True)

    def leave(self, user: str, conversation: str) -> None:
        self._come_or_go(user, conversation, added=False)

    def _come_or_go(self, user: str, conversation: str, *, added: bool) -> None:
        person, home = self._workspace.person(user), self._workspace.conversation(conversation)
        if added:
            home.members.add(user)
        else:
            home.members.discard(user)
        if BOT in home.members and not self._workspace.is_blocked:
            now = self._clock.now()
            self._dispatcher.publish(membership(self._workspace, home, person, [user], now, added=added))

    def _draft(self, text: str, html: str | None, more_markup: str) -> Draft:
        as_typed = typed(text, self._workspace.named)
        markup = as_typed.markup if html is None else html
        return Draft(as_typed.text, source=text, markup=markup + more_markup, mentions=as_typed.entities)

    def _hears(self, home: Conversation, message: Message) -> bool:
        """Whether Teams hands a new message to the bot."""
        if BOT not in home.members or message.author.id == BOT or self._workspace.is_blocked:
            return False
        return home.kind is Kind.PERSONAL or home.reads_all or _mentions_bot(message)

    def _tell(self, message: Message, activity: Wire) -> None:
        home = self._workspace.conversation(message.conversation)
        if message.was_told and BOT in home.members and not self._workspace.is_blocked:
            self._dispatcher.publish(activity)

    def _tell_reaction(self, user: str, conversation: str, message: str, name: str, *, added: bool) -> None:
        found = self._workspace.message(conversation, message)
        home = self._workspace.conversation(conversation)
        if found.author.id == BOT and user != BOT and BOT in home.members and not self._workspace.is_blocked:
            person = self._workspace.person(user)
            now = self._clock.now()
            self._dispatcher.publish(reaction(self._workspace, found, person, name, now, added=added))

    def _tell_installed(self, user: str, home: Conversation, *, added: bool) -> None:
        person: Person = self._workspace.person(user)
        now = self._clock.now()
        self._dispatcher.publish(*installed(self._workspace, home, person, now, added=added))


def _mentions_bot(message: Message) -> bool:
    return any(one["mentioned"]["id"] == BOT for one in message.mentions)
