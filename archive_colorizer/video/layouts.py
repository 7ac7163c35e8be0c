"""Which planes a result has, and which files they fit in."""

from fractions import Fraction
from typing import Final, Literal, TypeAlias

from archive_colorizer.video.film import Chroma, Codec, Codes, FilmFacts, Layout
from archive_colorizer.video.matroska import FINE

Container: TypeAlias = Literal["mkv", "mov", "mp4"]

_DEPTHS: Final[dict[Codec, tuple[int, ...]]] = {
    "ffv1": (8, 9, 10, 12, 14, 16),
    "h264": (8, 10),
    "h265": (8, 10, 12),
    "prores": (10,),
}
_MILLISECONDS: Final = 1000


def layout_of(facts: FilmFacts, codec: Codec | None = None) -> Layout:
    """The planes that a film's result has: luma of its own range and depth where the codec can.

    codec: of a video; None for a sequence.  Chroma is as fine as the source's own: 4:2:0 for
    most, 4:2:2 or 4:4:4 where it had that; an odd size takes 4:4:4 where codecs need even ones.
    """
    codes = facts.codes
    if facts.kind == "sequence" or codec is None:
        return Layout(codes, "4:2:0" if facts.kind_of_file == "jpeg" else "4:4:4")
    held = _DEPTHS[codec]
    depth = next((one for one in held if one >= codes.depth), held[-1])
    return Layout(Codes(depth, held_range(facts, codec), codes.matrix), _chroma(facts, codec))


def held_range(facts: FilmFacts, codec: str) -> bool:
    """Whether a film's result has full range: as its source, but ProRes knows limited only."""
    return facts.codes.full_range and codec != "prores"


def container_for(facts: FilmFacts, codec: Codec) -> Container:
    """The container that fits a codec and the source: MKV for FFV1, MOV for ProRes.

    H.264 and H.265 stay in MKV or MOV when they come from there, and are MP4 otherwise.
    """
    if codec == "ffv1":
        return "mkv"
    if codec == "prores":
        return "mov"
    if "matroska" in facts.kind_of_file:
        return "mkv"
    return "mov" if facts.name.lower().endswith(".mov") else "mp4"


def ticks_of(facts: FilmFacts, container: Container) -> int:
    """Ticks to a millisecond that a film's times need in a container; 1 but in some MKV.

    MKV counts in whole nanoseconds at best, of which no third of a second is made.  Its fine
    times are near enough that each can be told again in units of the source.
    """
    step = facts.time_base * _MILLISECONDS
    if container != "mkv" or all((time * step).denominator == 1 for time in facts.times):
        return 1
    return FINE


def tells_times(facts: FilmFacts, container: Container) -> bool:
    """Whether the film's own times, in its own units, can be told from those in a container."""
    ticks = ticks_of(facts, container)
    return ticks == 1 or facts.time_base > Fraction(1, ticks * _MILLISECONDS)


def _chroma(facts: FilmFacts, codec: Codec) -> Chroma:
    fine: Chroma = "4:4:4" if facts.chroma in ("4:4:4", "rgb") else "4:2:0"
    if facts.chroma in ("4:2:2", "4:4:0") or (codec == "prores" and fine == "4:2:0"):
        fine = "4:2:2"
    is_odd = facts.width % 2 or (facts.height % 2 and fine == "4:2:0")
    return "4:4:4" if codec != "ffv1" and is_odd else fine
