"""The characters that GB 18030-2022 demands of implementation level 2 (clauses 9.2 and 9.3).

Level 1: single and double byte areas, CJK Extension A, and U+9FA6 to 9FEF. Level 2 adds what the 通用规范汉字表 (8,105
characters, 2013) has beyond them: 196 characters of the Extensions B to E.
"""

# 通用规范汉字表, what lies beyond the BMP, by code point.
BEYOND_BMP = (
    "𠅤𠙶𠳐𡎚𡐓𣗋𣲗𣲘𣸣𤧛𤩽𤫉𥔲𥕢𥖨𥻗𦈡𦒍𦙶𦝼𦭜𦰡𧿹𨐈𨙸𨚕𨟠𨭉"
    "𨱇𨱏𨱑𨱔𨺙𩽾𩾃𩾌𪟝𪣻𪤗𪨰𪨶𪩘𪾢𫄧𫄨𫄷𫄸𫇭𫌀𫍣𫍯𫍲𫍽𫐄𫐐𫐓"
    "𫑡𫓧𫓯𫓶𫓹𫔍𫔎𫔶𫖮𫖯𫖳𫗧𫗴𫘜𫘝𫘦𫘧𫘨𫘪𫘬𫚕𫚖𫚭𫛭𫞩𫟅𫟦𫟹"
    "𫟼𫠆𫠊𫠜𫢸𫫇𫭟𫭢𫭼𫮃𫰛𫵷𫶇𫷷𫸩𬀩𬀪𬂩𬃊𬇕𬇙𬇹𬉼𬊈𬊤𬌗𬍛𬍡"
    "𬍤𬒈𬒔𬒗𬕂𬘓𬘘𬘡𬘩𬘫𬘬𬘭𬘯𬙂𬙊𬙋𬜬𬜯𬞟𬟁𬟽𬣙𬣞𬣡𬣳𬤇𬤊𬤝"
    "𬨂𬨎𬩽𬪩𬬩𬬭𬬮𬬱𬬸𬬹𬬻𬬿𬭁𬭊𬭎𬭚𬭛𬭤𬭩𬭬𬭯𬭳𬭶𬭸𬭼𬮱𬮿𬯀"
    "𬯎𬱖𬱟𬳵𬳶𬳽𬳿𬴂𬴃𬴊𬶋𬶍𬶏𬶐𬶟𬶠𬶨𬶭𬶮𬷕𬸘𬸚𬸣𬸦𬸪𬹼𬺈𬺓"
)
# Where the edition of 2022 puts what the codec of the standard library (edition of 2000) maps to private use.
_NOW_ENCODED = frozenset({0x1E3F, 0x20087, 0x20089, 0x200CC, 0x215D7, 0x2298F, 0x241FE, *range(0xFE10, 0xFE1A)})
_PRIVATE_USE = range(0xE000, 0xF900)


def double_byte_area() -> frozenset[int]:
    """Every assigned character of the double byte area, less what users may define."""
    found = set()
    for lead in range(0x81, 0xFF):
        for trail in (*range(0x40, 0x7F), *range(0x80, 0xFF)):
            point = ord(bytes((lead, trail)).decode("gb18030"))
            if point not in _PRIVATE_USE:
                found.add(point)
    return frozenset(found)


def level_1() -> frozenset[int]:
    return frozenset(
        {*range(0x20, 0x7F), *double_byte_area(), *_NOW_ENCODED, *range(0x3400, 0x4DB6), *range(0x9FA6, 0x9FF0)}
    )


def level_2() -> frozenset[int]:
    return level_1() | frozenset(map(ord, BEYOND_BMP))
