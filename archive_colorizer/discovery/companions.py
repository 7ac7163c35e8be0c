"""Pictures beside a photograph that say more about its color, found in a folder's listing.

`scan.jpg` may have `scan.jpg.mask.png` or `scan.mask.png` beside it.  A name is a companion only
where its photograph is there; otherwise it is a file like others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias, get_args

from archive_colorizer.records.jobs import Role

_ENDINGS: Final[dict[str, Role]] = {
    ".mask.png": "mask",
    ".hints.png": "hints",
}
assert set(_ENDINGS.values()) == set(get_args(Role))  # noqa: S101

WORDS: Final[dict[Role, str]] = {
    "mask": "the mask",
    "hints": "the known colors",
}
"""What each is to its photograph."""

Named: TypeAlias = tuple[Role, str]


@dataclass(frozen=True, slots=True)
class Companions:
    """Those in one folder, by names of files.

    of: what a photograph has beside it.  owners: the photograph that each is for, the first of
    several; None where every photograph that it could be for has one of its own.
    """

    of: Mapping[str, tuple[Named, ...]] = field(default_factory=dict)
    owners: Mapping[str, str | None] = field(default_factory=dict)


_NONE: Final = Companions()


def find_companions(names: Sequence[str], is_photograph: Callable[[str], bool]) -> Companions:
    """The companions among the names of a folder; `is_photograph` judges a name.

    Nothing is opened or asked of the system.  The whole name of a photograph before the ending
    goes before its stem.
    """
    found = [(name, ending) for name in names if (ending := _ending(name))]
    if not found:
        return _NONE
    called = {name for name, _ in found}
    photographs = [name for name in names if name not in called and is_photograph(name)]
    whole = {(name[: -len(ending)], _ENDINGS[ending]): name for name, ending in found}
    of: dict[str, tuple[Named, ...]] = {}
    owners: dict[str, str | None] = {}
    for photograph in photographs:
        stem = photograph.rpartition(".")[0]
        own: list[Named] = []
        for role in WORDS:
            exact, loose = whole.get((photograph, role)), whole.get((stem, role))
            if loose is not None and exact is not None:
                owners.setdefault(loose, None)
            chosen = exact or loose
            if chosen is not None:
                own.append((role, chosen))
                if owners.get(chosen) is None:
                    owners[chosen] = photograph
        if own:
            of[photograph] = tuple(own)
    return Companions(of, owners)


def role_of(name: str) -> Role | None:
    """What a file of this name is to its photograph, if it has one."""
    return _ENDINGS.get(_ending(name))


def _ending(name: str) -> str:
    folded = name.lower()
    return next((one for one in _ENDINGS if folded.endswith(one) and len(name) > len(one)), "")
