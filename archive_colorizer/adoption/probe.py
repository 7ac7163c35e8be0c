"""The trial of a network: does it answer as its contract says, and with colors that can be?

It sees a ramp from black to white and a scene of soft shapes, as a run would show them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from archive_colorizer.color.correct import gamut_share
from archive_colorizer.color.space import KB, KG, KR, FloatArray
from archive_colorizer.errors import ModelError
from archive_colorizer.model.color_spaces import pack, unpack, working_size
from archive_colorizer.model.colorizer import Colorizer
from archive_colorizer.model.contract import InputContract

_BEYOND: Final = 0.25
"""Share of its range by which an answer may leave it: a run clips what overshoots."""
_FAINT: Final = 1 / 255
"""Chroma: where no answer has more, the network colors nothing, or in another unit."""
_LEAST_SHARE: Final = 0.5
"""Of the chroma of middle greys that fits into the gamut, in the mean."""
_LEAST_LIKENESS: Final = 0.9
"""Correlation of luma that is shown with luma in an RGB answer."""
_MOST_APART: Final = 0.25
"""Mean difference of the two, of 1."""
_SAME: Final = 0.01
"""Share of the range by which answers may depend on their neighbors in a batch."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a trial has shown.

    shapes: H x W that were run.  low, high: the range of all answers.  chroma: the largest.
    takes_batches: whether two pictures at once give what they give one by one.
    """

    shapes: tuple[tuple[int, int], ...]
    low: float
    high: float
    chroma: float
    takes_batches: bool


def try_out(colorizer: Colorizer, origin: str, batches: bool) -> Findings:
    """Run a network on the trial pictures, one by one and, if `batches`, two at once.

    Raises ModelError that names it as `origin`, with what was expected and found.
    """
    contract = colorizer.contract
    answers = [
        (luma, _answer(colorizer, [luma], origin)) for luma in trial_pictures(contract.input)
    ]
    ranges = [_in_range(answer, colorizer, origin) for _, answer in answers]
    peaks = [_peak(answer, luma, colorizer, origin) for luma, answer in answers]
    if max(peaks) < _FAINT:
        raise ModelError(
            f"{origin}: expected colors; found chroma of {max(peaks):.5f} at most on a ramp and a "
            f"scene; are its answers in {contract.output.low:g} to {contract.output.high:g}? "
            "--contract can say otherwise"
        )
    return Findings(
        _shapes(contract.input),
        min(low for low, _ in ranges),
        max(high for _, high in ranges),
        max(peaks),
        batches and _takes_batches(colorizer, answers),
    )


def _shapes(given: InputContract) -> tuple[tuple[int, int], ...]:
    """Working sizes of pictures of other shapes, as often as the contract makes them differ."""
    sizes = (working_size(given, *one) for one in ((600, 600), (600, 900)))
    return tuple(dict.fromkeys(sizes))


def trial_pictures(given: InputContract) -> Iterator[FloatArray]:
    """Luma as the network would see it: a ramp and a scene, and a scene of each other shape."""
    shapes = _shapes(given)
    height, width = shapes[0]
    yield np.repeat(np.linspace(0, 1, width, dtype=np.float32)[None], height, axis=0)
    for height, width in shapes:
        yield _scene(height, width)


def _scene(height: int, width: int) -> FloatArray:
    """Light above, dark below, and soft shapes: nothing, but shaded as photographs are."""
    noise = np.random.default_rng(0).normal(size=(height, width)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), max(1.0, min(height, width) / 24))
    sky = np.linspace(0.75, 0.3, height, dtype=np.float32)[:, None]
    return np.asarray(np.clip(sky + soft * (0.2 / soft.std()), 0, 1), dtype=np.float32)


def _answer(colorizer: Colorizer, lumas: list[FloatArray], origin: str) -> FloatArray:
    given = colorizer.contract.input
    answer = colorizer.infer(np.concatenate([pack(luma, given) for luma in lumas]))
    height, width = lumas[0].shape
    tall, wide = answer.shape[2:]
    # Within the rounding of an axis that was divided.
    if not tall or not wide or abs(tall * width - wide * height) > max(height, width):
        raise ModelError(
            f"{origin}: expected an answer of the shape of the picture, {height} x {width}; "
            f"found {tall} x {wide}"
        )
    return answer


def _in_range(answer: FloatArray, colorizer: Colorizer, origin: str) -> tuple[float, float]:
    made = colorizer.contract.output
    planes = _meant(answer, colorizer)
    low, high = float(planes.min()), float(planes.max())
    slack = _BEYOND * (made.high - made.low)
    if low < made.low - slack or high > made.high + slack:
        raise ModelError(
            f"{origin}: expected answers from {made.low:g} to {made.high:g} ({made.space}); "
            f"found {low:.4g} to {high:.4g}"
        )
    return low, high


def _reject_unlike(answer: FloatArray, luma: FloatArray, colorizer: Colorizer, origin: str) -> None:
    """A network that answers with a picture answers with the one that it is shown."""
    made = colorizer.contract.output
    unit = (_meant(answer, colorizer)[0] - made.low) / (made.high - made.low)
    said = (unit @ np.array([KR, KG, KB], dtype=np.float32)).ravel()
    shown = cv2.resize(luma, unit.shape[1::-1], interpolation=cv2.INTER_AREA).ravel()
    apart = float(np.abs(said - shown).mean())
    spread = float(said.std() * shown.std())
    alike = float(((said - said.mean()) * (shown - shown.mean())).mean() / max(spread, 1e-9))
    if apart > _MOST_APART or alike < _LEAST_LIKENESS:
        raise ModelError(
            f"{origin}: expected the picture that is shown, in color; found one whose luma is "
            f"{apart:.2f} away in the mean (of 1) and correlates by {alike:.2f}; is the range or "
            "the scaling of its input or output another?"
        )


def _meant(answer: FloatArray, colorizer: Colorizer) -> FloatArray:
    """N x h x w x c, in the range of the contract."""
    made = colorizer.contract.output
    scaled = answer.transpose(0, 2, 3, 1) * np.asarray(made.std) + np.asarray(made.mean)
    return np.asarray(scaled, dtype=np.float32)


def _peak(answer: FloatArray, luma: FloatArray, colorizer: Colorizer, origin: str) -> float:
    """The largest chroma of an answer, which may not be beyond all that can be shown."""
    if colorizer.contract.output.space == "rgb":
        _reject_unlike(answer, luma, colorizer, origin)
    mask = unpack(answer, luma, colorizer.contract.output)
    height, width = mask.shape[:2]
    small = np.asarray(cv2.resize(luma, (width, height)), dtype=np.float32)
    middle = (small > np.float32(0.2)) & (small < np.float32(0.8))
    share = float(gamut_share(small, mask)[middle].mean())
    if share < _LEAST_SHARE:
        raise ModelError(
            f"{origin}: expected colors that can be shown; found such that {share:.0%} of their "
            "chroma fits on middle greys; is the range of its answers another?"
        )
    return float(np.hypot(mask[..., 0], mask[..., 1]).max())


def _takes_batches(colorizer: Colorizer, answers: list[tuple[FloatArray, FloatArray]]) -> bool:
    (ramp, one), (scene, two) = answers[:2]
    made = colorizer.contract.output
    try:
        both = _answer(colorizer, [ramp, scene], "")
    except ModelError:
        return False
    apart = np.abs(_meant(both - np.concatenate([one, two]), colorizer) - np.asarray(made.mean))
    return bool(apart.max() <= _SAME * (made.high - made.low))
