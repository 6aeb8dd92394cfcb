"""Opens search."""

from pathlib import Path

from services.catalogue.search.page_key import page_key
from services.catalogue.search.service import ItemService
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


def open_search(base: Foundation, key_file: Path) -> Part:
    return Part(edge=[servicer(ItemService(base, page_key(key_file)))])
