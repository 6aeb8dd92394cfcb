"""Opens the inbox over HTTPS."""

from services.exchange.config import ExchangeSettings
from services.exchange.inbox.checking import ReceiptCheck
from services.exchange.inbox.links import InboxLinks
from services.exchange.inbox.polling import Polling
from services.exchange.inbox.reader import Interrupted
from services.exchange.inbox.service import InboxService
from services.exchange.service.neighbours import NeighboursPart
from services.exchange.service.pages import Pages
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


def open_inbox(base: Foundation, settings: ExchangeSettings, beside: NeighboursPart, pages: Pages) -> Part:
    links = InboxLinks(beside.identity, settings.bus_url, base.clock, settings.inbox_idle_seconds)
    polls = Interrupted()
    checking = ReceiptCheck(base.store, [beside.catalogue, beside.esign])
    return Part(
        edge=[servicer(InboxService(base, links, pages, Polling(links, polls), checking))],
        tasks=[links.sweep],
        on_drain=polls.all,
        close=links.close,
    )
