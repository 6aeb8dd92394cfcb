"""Opens the threads that lay out documents."""

from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

from services.esign.config import EsignSettings
from shuniu.kit.parts import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutsPart(Part):
    layouts: Executor


def open_layouts(settings: EsignSettings) -> LayoutsPart:
    layouts = ThreadPoolExecutor(settings.layout_threads, thread_name_prefix="layout")

    async def close() -> None:
        layouts.shutdown()

    return LayoutsPart(layouts=layouts, close=close)
