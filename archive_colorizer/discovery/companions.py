"""Find the pictures next to a photograph that say more about its color.

`scan.jpg` may have `scan.jpg.mask.png` or `scan.mask.png` next to it.  A name is a companion only
where its photograph exists; otherwise it is an ordinary file.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, get_args

from archive_colorizer.records.jobs import Companion, Role, Source, Stamp
from archive_colorizer.storage.interface import Listing

_ENDINGS: Final[dict[str, Role]] = {".mask.png": "mask", ".hints.png": "hints"}
assert set(_ENDINGS.values()) == set(get_args(Role))  # noqa: S101

_ROLE_NAMES: Final[dict[Role, str]] = {"mask": "the mask", "hints": "the known colors"}
"""How messages call each role."""

NamedCompanion: TypeAlias = tuple[Role, str]


@dataclass(frozen=True, slots=True)
class Companions:
    """The companions in one folder, by names of files.

    owners: the photograph that each companion is for, the first of several; None where every
    photograph that it could be for has one that bears its whole name.
    """

    by_photograph: Mapping[str, tuple[NamedCompanion, ...]] = field(default_factory=dict)
    owners: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def find(cls, names: Sequence[str], is_photograph: Callable[[str], bool]) -> "Companions":
        """Find the companions among the names of a folder, without any system call.

        A companion with the whole name of its photograph takes precedence over one with its stem.
        """
        candidates = [(name, ending) for name in names if (ending := _find_ending(name))]
        if not candidates:
            return cls()
        candidate_names = {name for name, _ in candidates}
        photographs = [
            name for name in names if name not in candidate_names and is_photograph(name)
        ]
        whole = {(name[: -len(ending)], _ENDINGS[ending]): name for name, ending in candidates}
        by_photograph: dict[str, tuple[NamedCompanion, ...]] = {}
        owners: dict[str, str | None] = {}
        for photograph in photographs:
            stem = photograph.rpartition(".")[0]
            named: list[NamedCompanion] = []
            for role in _ROLE_NAMES:
                exact, loose = whole.get((photograph, role)), whole.get((stem, role))
                if loose is not None and exact is not None:
                    owners.setdefault(loose, None)
                chosen = exact or loose
                if chosen is not None:
                    named.append((role, chosen))
                    if owners.get(chosen) is None:
                        owners[chosen] = photograph
            if named:
                by_photograph[photograph] = tuple(named)
        return cls(by_photograph, owners)

    def describe_role(self, name: str) -> str:
        """Describe what the companion of this name is to its photograph."""
        return _ROLE_NAMES[_ENDINGS[_find_ending(name)]]

    def attach(self, source: Source, name: str, listing: Listing) -> Source:
        """Attach the pictures next to the photograph called `name`, with their stamps."""

        def find_stamp(companion_name: str) -> Stamp | None:
            with suppress(OSError):
                return listing.inspect(companion_name).stamp
            return None

        named = self.by_photograph.get(name, ())
        beside = tuple(Companion(role, other, find_stamp(other)) for role, other in named)
        return replace(source, beside=beside) if beside else source


def _find_ending(name: str) -> str:
    folded = name.lower()
    matches = (end for end in _ENDINGS if folded.endswith(end) and len(name) > len(end))
    return next(matches, "")
