"""Synthetic people: the same seed gives the same people, in any process. None of them exists.

Citizen numbers carry county codes ending in 99, which GB/T 2260 has never assigned here, so that a valid check digit
does not make a real person's number. Names are put together at random. A person ``with_record`` is one the register
example answers for with a record, so that the certificate is refused; ``people`` makes none unless asked.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from examples.inner_mongolia.check_digits import citizen_check
from examples.inner_mongolia.load import NINE_CITIES

CITIZEN, FOREIGN_RESIDENT, RESIDENCE_PERMIT = "111", "553", "154"

_FAMILY = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰健宇轩梓涵浩然子萱一诺晨阳雨"
# In the household register, and lost by systems that stop at the Basic Multilingual Plane or at GBK.
RARE = "䶮㛃𬭎𠅤𪟝㭎𬱖䶄㙍𫖯"
_MINORITY = (
    ("乌兰", "其其格"),
    ("巴特尔", "苏和"),
    ("阿拉坦", "图雅"),
    ("娜仁", "格日勒"),
    ("古丽", "买买提"),
    ("阿依努尔", "艾力"),
    ("阿尔斯郎", "哈斯"),
    ("迪里努尔", "托合提"),
)
# Name and numeric nationality (ISO 3166-1).
_FOREIGN = (
    ("JOHN SMITH", "840"),
    ("MARÍA GARCÍA LÓPEZ", "724"),
    ("FRANÇOIS D'ALEMBERT", "250"),
    ("ИВАН ПЕТРОВ", "643"),
    ("ANNE-SOPHIE MÜLLER", "276"),
    ("BATBAYAR GANZORIG", "496"),
    ("OLIVIA O’NEILL", "372"),
    ("NGUYỄN THỊ MINH", "704"),
)
_PERMITS = (("810000", "陈嘉豪"), ("820000", "何颖诗"), ("830000", "林怡君"))
_FIRST_BIRTH, _LAST_BIRTH = date(1945, 1, 1), date(2006, 12, 31)


@dataclass(frozen=True, slots=True)
class Person:
    """A synthetic person. ``division`` is the city of application, ``sex`` 1 male or 2 female (GB/T 2261.1)."""

    name: str
    document_type: str
    number: str
    sex: str
    birth: date
    division: str
    phone: str
    password: str
    with_record: bool = False
    synthetic: bool = True


def people(
    count: int,
    *,
    seed: int = 20260816,
    divisions: tuple[str, ...] = NINE_CITIES,
    with_record: int = 0,
) -> tuple[Person, ...]:
    """``count`` people spread evenly over ``divisions``; the last ``with_record`` of them have a record.

    Of each twenty, two have rare characters in their names, two minority names, one is a foreign permanent resident
    and one holds a residence permit of Hong Kong, Macao or Taiwan. Numbers never repeat. Raises ValueError on
    negative or contradictory counts.
    """
    if not 0 <= with_record <= count:
        raise ValueError("with_record lies between 0 and count")
    chance = random.Random(seed)
    numbers: set[str] = set()
    return tuple(
        _person(chance, index, divisions[index % len(divisions)], numbers, with_record=index >= count - with_record)
        for index in range(count)
    )


def _person(chance: random.Random, index: int, division: str, numbers: set[str], *, with_record: bool) -> Person:
    # 7, 9 cities and 20 share no factor, so that each kind of person turns up early and in each city.
    turn = index * 7 % 20
    sex = chance.choice("12")
    if turn == 1:
        name, nationality = _FOREIGN[index // 20 % len(_FOREIGN)]
        kind, prefix = FOREIGN_RESIDENT, "915" + nationality
    elif turn == 3:
        prefix, name = _PERMITS[index // 20 % len(_PERMITS)]
        kind = RESIDENCE_PERMIT
    else:
        name = _name(chance, turn, index)
        kind, prefix = CITIZEN, division[:4] + "99"
    number, birth = next(
        each for each in _numbers(chance, prefix, sex, all_digits=kind == FOREIGN_RESIDENT) if each[0] not in numbers
    )
    numbers.add(number)
    return Person(
        name=name,
        document_type=kind,
        number=number,
        sex=sex,
        birth=birth,
        division=division,
        # 10 is no mobile prefix, so no telephone rings.
        phone=f"10{index:09d}",
        password=f"示例-{chance.randrange(16**12):012x}",
        with_record=with_record,
    )


def _name(chance: random.Random, turn: int, index: int) -> str:
    if turn in {5, 15}:
        return chance.choice(_FAMILY) + RARE[index // 10 % len(RARE)]
    if turn in {7, 17}:
        return "·".join(_MINORITY[index // 10 % len(_MINORITY)])
    return chance.choice(_FAMILY) + "".join(chance.sample(_GIVEN, chance.choice((1, 2, 2))))


def _numbers(chance: random.Random, prefix: str, sex: str, *, all_digits: bool) -> Iterator[tuple[str, date]]:
    while True:
        birth = _FIRST_BIRTH + timedelta(days=chance.randrange((_LAST_BIRTH - _FIRST_BIRTH).days))
        order = 2 * chance.randrange(1, 499) + int(sex) % 2
        body = f"{prefix}{birth:%Y%m%d}{order:03d}"
        check = citizen_check(body)
        if not (all_digits and check == "X"):
            yield body + check, birth
