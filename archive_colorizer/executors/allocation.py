"""Team: how many pictures each worker process has in hand, and which graphics card it uses."""

from dataclasses import dataclass
from typing import Final

from archive_colorizer.device import Device, visible_cards
from archive_colorizer.executors.threads import cores

MOST_HANDS: Final = 16
"""Threads of one process: more would wait for one another, since Python runs one at a time."""


@dataclass(frozen=True, slots=True)
class Team:
    """What the workers of a run have beyond a core.

    hands: threads of each process that take a batch of files each.  cards: words for
    `CUDA_VISIBLE_DEVICES`, of which each process sees one, in turn; none where all see all.
    """

    hands: int = 1
    cards: tuple[str, ...] = ()

    def card_of(self, worker: int) -> str | None:
        """The card of the worker with this number, counted from 0."""
        return self.cards[worker % len(self.cards)] if self.cards else None


ALONE: Final = Team()
"""One picture at a time for each process, and no card."""


@dataclass(frozen=True, slots=True)
class Share:
    """`workers` processes, the `threads` that libraries may use for each picture, and the team."""

    workers: int
    threads: int
    team: Team = ALONE


def share_cores(workers: int) -> Share:
    """The cores of this machine among worker processes; 0 of them are one a core."""
    at_hand = cores()
    workers = workers or at_hand
    return Share(workers, max(1, at_hand // workers))


def share_cards(workers: int, device: Device) -> Share:
    """The cards of this machine among worker processes; 0 of them are one a card.

    The cores are shared out as hands: each decodes and encodes while the card is at work for
    others.  A card that was asked for by its number, or that is the only one, serves all.
    """
    cards = visible_cards() if device.index is None else ()
    workers = workers or max(1, len(cards))
    hands = min(MOST_HANDS, max(1, cores() // workers))
    return Share(workers, 1, Team(hands, cards if len(cards) > 1 else ()))
