"""Choose the planes and the container of a result."""

from fractions import Fraction
from typing import Final, Literal, TypeAlias

from archive_colorizer.video.film import Chroma, Codec, Codes, FilmFacts, Layout
from archive_colorizer.video.matroska import FINE_TICKS

Container: TypeAlias = Literal["mkv", "mov", "mp4"]

_DEPTHS: Final[dict[Codec, tuple[int, ...]]] = {
    "ffv1": (8, 9, 10, 12, 14, 16),
    "h264": (8, 10),
    "h265": (8, 10, 12),
    "prores": (10,),
}
_MILLISECONDS: Final = 1000


def choose_layout(facts: FilmFacts, codec: Codec | None = None) -> Layout:
    """Choose the planes of a film's result: the source's range and depth where the codec can.

    codec: None for a sequence.  Chroma is as fine as the source's: mostly 4:2:0, or 4:2:2 or
    4:4:4; an odd size needs 4:4:4 in codecs that halve only even ones.
    """
    codes = facts.codes
    if facts.kind == "sequence" or codec is None:
        return Layout(codes, "4:2:0" if facts.file_format == "jpeg" else "4:4:4")
    depths = _DEPTHS[codec]
    depth = next((candidate for candidate in depths if candidate >= codes.depth), depths[-1])
    codes = Codes(depth, has_full_range(facts, codec), codes.matrix)
    return Layout(codes, _choose_chroma(facts, codec))


def has_full_range(facts: FilmFacts, codec: str) -> bool:
    """Whether a film's result has its source's full range, which ProRes does not support."""
    return facts.codes.full_range and codec != "prores"


def choose_container(facts: FilmFacts, codec: Codec) -> Container:
    """Choose the container: MKV for FFV1, MOV for ProRes.

    H.264 and H.265 stay in MKV or MOV if the source is one, and become MP4 otherwise.
    """
    if codec == "ffv1":
        return "mkv"
    if codec == "prores":
        return "mov"
    if "matroska" in facts.file_format:
        return "mkv"
    return "mov" if facts.name.lower().endswith(".mov") else "mp4"


def compute_ticks(facts: FilmFacts, container: Container) -> tuple[int, bool]:
    """Compute the ticks per millisecond of a result's times; 1 except in some MKV.

    MKV counts whole nanoseconds at best, which cannot express a third of a second.  Also returns
    whether each time can be recovered from a result in units of the source.
    """
    step = facts.time_base * _MILLISECONDS
    if container != "mkv" or all((time * step).denominator == 1 for time in facts.times):
        return 1, True
    return FINE_TICKS, facts.time_base > Fraction(1, FINE_TICKS * _MILLISECONDS)


def _choose_chroma(facts: FilmFacts, codec: Codec) -> Chroma:
    fine: Chroma = "4:4:4" if facts.chroma in ("4:4:4", "rgb") else "4:2:0"
    if facts.chroma in ("4:2:2", "4:4:0") or (codec == "prores" and fine == "4:2:0"):
        fine = "4:2:2"
    is_odd = facts.width % 2 or (facts.height % 2 and fine == "4:2:0")
    return "4:4:4" if codec != "ffv1" and is_odd else fine
