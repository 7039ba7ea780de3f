"""What one person alone is shown. Pure."""

from bots.teams.cards import card, open_url, payload, prose
from bots.teams.markup import safe_url
from bots.teams.render import render
from core.mirror.cards import NoticeItem
from core.ports import Payload, PrivateLink


def whispered(text: str, link: PrivateLink | None = None) -> Payload:
    """A message for one person; the link is a button that leads away."""
    message = render(NoticeItem(text))[0]
    url = safe_url(link.url) if link else None
    if link is None or url is None:
        return message
    return payload(text, card(prose(message["text"]), [open_url(link.label, url)]))
