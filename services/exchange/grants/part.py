"""Opens resources and the grants on them."""

from services.exchange.domain.time_limits import Calendar
from services.exchange.grants.service import ResourceService
from services.exchange.service.pages import Pages
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


def open_grants(base: Foundation, pages: Pages, calendar: Calendar) -> Part:
    return Part(edge=[servicer(ResourceService(base, pages, calendar))])
