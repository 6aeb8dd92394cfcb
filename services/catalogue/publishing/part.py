"""Opens publishing."""

from services.catalogue.publishing.service import ItemEditService
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


def open_publishing(base: Foundation) -> Part:
    return Part(edge=[servicer(ItemEditService(base))])
