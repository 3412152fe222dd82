"""Maps by family and difficulty: ``affine[gamma=0.9]`` is the ``affine`` map of difficulty ``0.9``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deqbench.trials import Ref

DEFAULT = "default"
"""The difficulty of a map whose suite left to the default what it gave for another."""


@dataclass(frozen=True)
class Member:
    """A map of a family.

    Attributes:
        text: The map as the suite wrote it.
        difficulty: The values that tell it from the others of its family; nothing for an only member.
    """

    text: str
    difficulty: str


@dataclass(frozen=True)
class Family:
    """Maps of one name.

    Attributes:
        name: The component's name.
        varied: The parameters in which its maps differ, as a person reads them: ``gamma``.
        members: Its maps, in the order of the suite.
    """

    name: str
    varied: str
    members: tuple[Member, ...]

    @property
    def maps(self) -> tuple[str, ...]:
        """Its maps as the suite wrote them."""
        return tuple(member.text for member in self.members)


def families(maps: Sequence[str]) -> list[Family]:
    """Return the families of some maps, both in the order in which they first occur.

    Args:
        maps: Maps as the suite wrote them; repetitions count once.
    """
    grouped: dict[str, list[str]] = defaultdict(list)
    for text in dict.fromkeys(maps):
        grouped[Ref.parse(text).name].append(text)
    return [_family(name, texts) for name, texts in grouped.items()]


def _family(name: str, texts: Sequence[str]) -> Family:
    parameters = [Ref.parse(text).parameters for text in texts]
    names = list(dict.fromkeys(key for given in parameters for key in given))
    varied = [key for key in names if len({_shown(given.get(key, DEFAULT)) for given in parameters}) > 1]
    members = [
        Member(text, ", ".join(_shown(given.get(key, DEFAULT)) for key in varied))
        for text, given in zip(texts, parameters, strict=True)
    ]
    return Family(name, ", ".join(varied), tuple(members))


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
