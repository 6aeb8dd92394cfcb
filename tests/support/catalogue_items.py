"""A base item and an implementing item as the standard wants them."""

from datetime import date

from services.catalogue.items.domain.codes import Codes, Level
from services.catalogue.items.domain.item import (
    BaseItem,
    Content,
    Faq,
    Form,
    ImplementingItem,
    ItemType,
    Limit,
    Material,
    Phones,
    ServiceObject,
)

AGENCY = "12441500196720244T"


CONTENT = Content(
    name="无犯罪记录证明",
    type=ItemType.PUBLIC_SERVICE,
    service_objects=frozenset({ServiceObject.PERSON}),
    legal_basis=("公安机关办理犯罪记录查询工作规定",),
    aliases=("无犯罪证明",),
    conditions="本人申请",
    flow="申请、受理、查询、开具",
    statutory_limit=Limit(3),
    promised_limit=Limit(1),
    forms=frozenset({Form.COMPUTER, Form.MOBILE}),
    online=True,
    phones=Phones("0471-12345", "12389"),
    result_name="无犯罪记录证明",
    materials=(Material("居民身份证", issuer="公安机关", source="shared"),),
    faqs=(Faq("要去现场吗？", "不用。"),),
)


BASE = BaseItem("01ARZ3NDEKTSV4RRFFQ69G5FAV", Codes(b="442199806003"), AGENCY, CONTENT)


ITEM = ImplementingItem(
    id="01ARZ3NDEKTSV4RRFFQ69G5FAW",
    base_id=BASE.id,
    codes=Codes(b=AGENCY + "3442199806003"),
    division="150100",
    level=Level.CITY,
    agency=AGENCY,
    agency_name="某市公安局",
    handler="150100-ga",
    content=CONTENT,
    plan_effective=date(2026, 1, 1),
)
