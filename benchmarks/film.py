"""How steady film comes out, and whether steadiness costs truth: `python -m benchmarks.film`.

A clip in color is made grey, restored with several settings of smoothing, and compared with
itself.  Without --film the clip is made of scikit-image's photographs: a camera that turns
over a scene, a person who walks through it, and the grain and flicker of an old print.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage import data
from skimage.color import deltaE_ciede2000, rgb2lab

from archive_colorizer.color.resample import fit_within
from archive_colorizer.color.space import compute_chroma, compute_luma, compute_rgb
from archive_colorizer.film.colorize import restore_part
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.ensemble import Ensemble
from archive_colorizer.model.registry import find_model
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Shot, ShotPart
from archive_colorizer.video.film import Codes, FilmFacts, Layout, LumaFrame

HEAD = ("", "flicker", "of frame by frame", "its excess over the truth's", "CDC x 1000",
        "CIEDE2000", "against frame by frame")  # fmt: skip

CODES = Codes(8, True, "bt601")
FINE = Layout(Codes(16, True, "bt601"), "4:4:4")
"""So fine that rounding to codes adds no flicker of its own."""

SIDE = 384
"""Pixels of the longer side at which results are compared."""
EVERY = 5
"""Every fifth frame is compared in CIEDE2000, which is slow."""


@dataclass(frozen=True)
class Figures:
    """flicker: mean |C(t) - warp(C(t-1))| over visible pixels, in codes of 8 bits.

    cdc: color distribution consistency (Liu et al., Temporally Consistent Video Colorization,
    2021): Jensen-Shannon divergence, natural logarithm, of the histograms of R, G and B with
    256 bins between frames t and t + d, mean over frames and channels, mean over d = 1, 2, 4.
    ciede2000: mean against the truth.
    """

    flicker: float
    cdc: float
    ciede2000: float


class GreyFilm:
    """The luma of a clip in color, as an open film."""

    def __init__(self, clip: Sequence[np.ndarray]) -> None:
        self.clip = clip
        height, width = clip[0].shape[:2]
        self.facts = FilmFacts(
            "clip", "video", len(clip), Fraction(24), False, width, height, CODES, "4:4:4", False,
            tuple(range(len(clip))), Fraction(1, 24), len(clip), "matroska", "ffv1",
        )  # fmt: skip

    def read_frames(self, first: int = 0, last: int | None = None) -> Iterator[LumaFrame]:
        for at in range(len(self.clip))[first:last]:
            yield LumaFrame(at, at, compute_luma(self.clip[at]))

    rescue_frames = read_frames


class Remembering:
    """A session that runs the network once for each batch, whatever the smoothing."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.known: dict[bytes, Any] = {}

    def run(self, names: list[str], given: dict[str, np.ndarray]) -> Any:
        key = sha256(b"".join(one.tobytes() for one in given.values())).digest()
        if key not in self.known:
            self.known[key] = self.session.run(names, given)
        return self.known[key]


def walk(frames: int, size: tuple[int, int] = (288, 384)) -> list[np.ndarray]:
    """A clip of scikit-image's photographs, H x W x 3 uint8: pan, walker, grain and flicker."""
    height, width = size
    coffee = data.coffee()
    scale = max(height / coffee.shape[0], (width + frames) / coffee.shape[1])
    scene = cv2.resize(coffee, None, fx=scale, fy=scale)
    walker = cv2.resize(data.astronaut()[:400, 60:360], (height // 2, round(height * 2 / 3)))
    oval = np.zeros(walker.shape[:2], np.float32)
    cv2.ellipse(oval, (oval.shape[1] // 2, oval.shape[0] // 2),
                (oval.shape[1] // 2 - 4, oval.shape[0] // 2 - 4), 0, 0, 360, 1, -1)  # fmt: skip
    oval = cv2.GaussianBlur(oval, (0, 0), 1.5)[..., None]
    random = np.random.default_rng(1)
    clip = []
    for at in range(frames):
        picture = scene[:height, at : at + width].astype(np.float32)
        left = round((width - oval.shape[1]) * at / frames)
        place = (slice(height - oval.shape[0], height), slice(left, left + oval.shape[1]))
        picture[place] = picture[place] * (1 - oval) + walker * oval
        grain = cv2.GaussianBlur(random.normal(0, 8, size), (0, 0), 0.8).astype(np.float32)
        picture = picture * (1 - 0.06 * random.random()) + grain[..., None]
        clip.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
    return clip


def read_clip(path: Path, frames: int) -> list[np.ndarray]:
    """The first frames of a video, H x W x 3 uint8."""
    import av

    with av.open(str(path)) as container:
        decoded = islice(container.decode(video=0), frames)
        return [frame.to_ndarray(format="rgb24") for frame in decoded]


def restored(film: GreyFilm, painter: Ensemble, smoothing: float) -> list[np.ndarray]:
    """Chroma of each frame at the size of comparison, h x w x 2 float32."""
    whole = ShotPart(Shot(0, film.facts.frames), 0, film.facts.frames)
    frames = restore_part(film, whole, painter, Recipe(), smoothing, FINE)
    return [
        small(np.stack([FINE.codes.normalize_chroma(one) for one in (frame.cb, frame.cr)], axis=2))
        for frame in frames
    ]


def small(planes: np.ndarray) -> np.ndarray:
    """H x W x C at the size of comparison, float32."""
    height, width = fit_within(*planes.shape[:2], SIDE)
    return cv2.resize(planes.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)


class Judge:
    """A clip in color, against which restored chroma is measured.

    What is visible in two frames is told by dense inverse search at its medium setting, on
    luma as it is: there and back within a pixel, and luma within 5 %.  (Smoothing follows its
    own, faster setting, on luma without its light, at the network's size.)
    """

    def __init__(self, clip: Sequence[np.ndarray]) -> None:
        rgb = [small(frame) / 255 for frame in clip]
        self.chroma = [compute_chroma(one) for one in rgb]
        self.luma = [one @ np.float32([0.299, 0.587, 0.114]) for one in rgb]
        self.lab = [rgb2lab(one) for one in rgb[::EVERY]]
        self.ways = list(self._ways())

    def figures(self, chroma: Sequence[np.ndarray]) -> Figures:
        rgb = [np.clip(compute_rgb(y, c), 0, 1) for y, c in zip(self.luma, chroma, strict=True)]
        labs = zip(self.lab, map(rgb2lab, rgb[::EVERY]), strict=True)
        return Figures(
            flicker=self.flicker(chroma),
            cdc=cdc(rgb),
            ciede2000=float(np.mean([deltaE_ciede2000(one, other).mean() for one, other in labs])),
        )

    def flicker(self, chroma: Sequence[np.ndarray]) -> float:
        found = []
        for at, (x, y, visible) in enumerate(self.ways):
            before = cv2.remap(chroma[at], x, y, cv2.INTER_LINEAR)
            found.append(np.abs(chroma[at + 1] - before)[visible].mean() * 255)
        return float(np.mean(found))

    def _ways(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """For each frame but the first: where its pixels were (x, y), and which could be seen."""
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        codes = [np.rint(one * 255).astype(np.uint8) for one in self.luma]
        rows, columns = np.mgrid[: codes[0].shape[0], : codes[0].shape[1]].astype(np.float32)
        for at in range(1, len(codes)):
            back = flow.calc(codes[at], codes[at - 1], None)
            x, y = columns + back[..., 0], rows + back[..., 1]
            there = cv2.remap(flow.calc(codes[at - 1], codes[at], None), x, y, cv2.INTER_LINEAR)
            apart = np.abs(self.luma[at] - cv2.remap(self.luma[at - 1], x, y, cv2.INTER_LINEAR))
            yield x, y, (np.linalg.norm(back + there, axis=2) < 1) & (apart < 0.05)


def cdc(rgb: Sequence[np.ndarray]) -> float:
    """Color distribution consistency of a clip; see Figures."""
    codes = [np.rint(one * 255).astype(np.uint8) for one in rgb]
    shares = [[np.bincount(one[..., at].ravel(), minlength=256) / one[..., at].size
               for at in range(3)] for one in codes]  # fmt: skip
    steps = []
    for step in (1, 2, 4):
        pairs = zip(shares, shares[step:], strict=False)
        found = [divergence(p, q) for one, other in pairs for p, q in zip(one, other, strict=True)]
        steps.append(np.mean(found))
    return float(np.mean(steps))


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Jensen-Shannon divergence in nats, 0 to log 2."""
    middle = (p + q) / 2
    sides = [one[one > 0] * np.log(one[one > 0] / middle[one > 0]) for one in (p, q)]
    return float(sum(side.sum() for side in sides) / 2)


def table(truth: Figures, found: dict[float, Figures]) -> list[tuple[str, ...]]:
    """Rows below HEAD: the truth, then a row for each smoothing, of which 0 must be one."""
    alone = found[0.0]
    rows = [("truth", f"{truth.flicker:.4f}", "", "", f"{truth.cdc * 1000:.3f}", "0", "")]
    for smoothing, one in found.items():
        excess = (one.flicker - truth.flicker) / (alone.flicker - truth.flicker)
        rows.append((
            f"smoothing {smoothing:g}" if smoothing else "frame by frame",
            f"{one.flicker:.4f}",
            f"{one.flicker / alone.flicker:.0%}",
            f"{excess:.0%}" if alone.flicker > truth.flicker else "none",
            f"{one.cdc * 1000:.3f}",
            f"{one.ciede2000:.3f}",
            f"{one.ciede2000 / alone.ciede2000 - 1:+.2%}",
        ))  # fmt: skip
    return rows


def compare(
    clip: list[np.ndarray], model: str, smoothings: Sequence[float]
) -> list[tuple[str, ...]]:
    """Restore the clip with each smoothing and say how it went, as rows of a table."""
    opened = open_colorizer(find_model(model))
    painter = Ensemble((replace(opened, session=Remembering(opened.session)),))
    film, judge = GreyFilm(clip), Judge(clip)
    found = {}
    for smoothing in dict.fromkeys((0.0, *smoothings)):
        begun = time.process_time()
        chroma = restored(film, painter, smoothing)
        spent = (time.process_time() - begun) / len(clip)
        print(f"smoothing {smoothing:g}: {spent * 1000:.0f} ms of CPU a frame", flush=True)
        found[smoothing] = judge.figures(chroma)
    return table(judge.figures(judge.chroma), found)


def main() -> None:
    """Print the table."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--film", type=Path, help="a video in color; made of photographs without")
    given.add_argument("--frames", type=int, default=120, help="its first frames, of one shot")
    given.add_argument("--model", default="default")
    given.add_argument("--smoothing", type=float, nargs="*", default=[0.4, 0.6, 0.7, 0.8, 1.0])
    asked = given.parse_args()
    cv2.setNumThreads(1)
    clip = read_clip(asked.film, asked.frames) if asked.film else walk(asked.frames)
    rows = compare(clip, asked.model, asked.smoothing)
    for row in (HEAD, ("---", *["---:"] * (len(HEAD) - 1)), *rows):
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
