"""How much memory the pictures of jobs take, before any of them is sent."""

from dataclasses import replace
from typing import Final

from archive_colorizer.image.codecs.header import memory_of
from archive_colorizer.location import Address
from archive_colorizer.records.jobs import Job, Source
from archive_colorizer.run.plan import Step

_WEIGHED: Final = 1 << 19
"""Bytes of a file from which on its picture may be large; smaller ones take one share."""

_WEIGHED_THERE: Final = 16 << 20
"""Likewise of an object, whose header is a request that everything else waits for."""


def weighed(step: Step) -> Step:
    """A job with the memory that its picture takes, so that large ones get out of each other's way.

    Small files are not opened for it.
    """
    if not isinstance(step, Job):
        return step
    source = step.source
    # Flat as masks are, few bytes of them may be many pixels.
    if not source.beside and _is_small(source):
        return step
    beside = (source.place.parent / one.name for one in source.beside)
    return replace(step, memory=sum(memory_of(one) for one in (source.place, *beside)))


def _is_small(source: Source) -> bool:
    size = source.stamp.size
    # Of a million small files no place is made for this.
    return size < _WEIGHED or (size < _WEIGHED_THERE and isinstance(source.place, Address))
