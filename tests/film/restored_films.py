"""Films in memory, made of the photographs of scikit-image."""

from fractions import Fraction

import numpy as np

from archive_colorizer.color.space import compute_luma
from archive_colorizer.errors import DamagedPicture
from archive_colorizer.video.film import Codes, FilmFacts, LumaFrame
from tests.photographs import photograph

LIMITED = Codes(8, False, "bt601")


class MemoryFilm:
    """Frames from a list of luma planes; None is a frame that cannot be decoded."""

    def __init__(self, lumas, codes=LIMITED, **facts):
        self.lumas = lumas
        height, width = next(luma.shape for luma in lumas if luma is not None)
        known = {
            "name": "memory.mkv",
            "kind": "video",
            "frames": len(lumas),
            "rate": Fraction(24),
            "variable": False,
            "width": width,
            "height": height,
            "codes": codes,
            "chroma": "4:2:0",
            "has_color": False,
            "times": tuple(range(len(lumas))),
            "time_base": Fraction(1, 24),
            "end": len(lumas),
            "file_format": "matroska",
            "codec": "ffv1",
        }
        self.facts = FilmFacts(**(known | facts))

    def read_frames(self, first=0, last=None):
        for at, frame in enumerate(self.rescue_frames(first, last), first):
            if frame is None:
                raise DamagedPicture(f"{self.facts.name}: frame {at} cannot be decoded")
            yield frame

    def rescue_frames(self, first=0, last=None):
        for at in range(len(self.lumas))[first:last]:
            luma = self.lumas[at]
            yield None if luma is None else LumaFrame(at, self.facts.times[at], luma)

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def pan(name, frames, step=2, size=(144, 192), top=40, left=0):
    """Luma codes (limited range, 8 bits) of a camera that turns over a photograph."""
    unit = compute_luma(photograph(name)).astype(np.float32) / 255
    height, width = size
    return [
        LIMITED.encode_luma(unit[top : top + height, left + step * at : left + step * at + width])
        for at in range(frames)
    ]


def lit(lumas, gains):
    """The same codes in other light."""
    return [
        LIMITED.encode_luma(np.clip(LIMITED.normalize_luma(luma) * np.float32(gain), 0, 1))
        for luma, gain in zip(lumas, gains, strict=True)
    ]
