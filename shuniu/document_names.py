"""Names of identity documents (常用证件代码, GA/T 2000.156) by code, Chinese and English: one list for who asks for a
document, reads its number or prints its name. Pure: domains may import this module.
"""

from collections.abc import Mapping
from typing import Final

NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "111": ("居民身份证", "resident identity card"),
    "112": ("临时居民身份证", "temporary resident identity card"),
    "113": ("户口簿", "household register"),
    "114": ("中国人民解放军军官证", "military officer's card"),
    "123": ("警官证", "police officer's card"),
    "154": ("居住证", "residence permit (also of Hong Kong, Macao and Taiwan residents)"),
    "411": ("外交护照", "diplomatic passport"),
    "412": ("公务护照", "service passport"),
    "413": ("公务普通护照", "passport for public affairs"),
    "414": ("普通护照", "ordinary passport"),
    "511": ("台湾居民来往大陆通行证（多次有效）", "travel permit for Taiwan residents, multiple entries"),
    "512": ("台湾居民来往大陆通行证（一次有效）", "travel permit for Taiwan residents, single entry"),
    "513": ("往来港澳通行证", "permit to Hong Kong and Macao"),
    "516": ("港澳居民来往内地通行证", "mainland travel permit for Hong Kong and Macao residents"),
    "517": ("大陆居民往来台湾通行证", "permit to Taiwan"),
    "552": ("台湾居民定居证", "settlement card of Taiwan residents"),
    "553": ("外国人永久居留身份证", "foreign permanent resident ID card"),
    "554": ("外国人居留证", "foreigner's residence card"),
    "555": ("外国人居留许可", "foreigner's residence permit"),
    "811": ("组织机构代码证", "organisation code certificate"),
    "821": ("企业法人营业执照", "business licence of a company"),
    "822": ("企业营业执照", "business licence of an enterprise"),
    "990": ("其他", "other"),
}
