"""Try a network on pictures: does it answer as its contract says, with plausible colors?

The pictures are a ramp from black to white and scenes of soft shapes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from archive_colorizer.color.correct import compute_gamut_share
from archive_colorizer.color.space import KB, KG, KR, FloatArray
from archive_colorizer.errors import ModelError
from archive_colorizer.model.color_spaces import pack, unpack
from archive_colorizer.model.colorizer import Colorizer
from archive_colorizer.model.contract import InputContract

_BEYOND: Final = 0.25
"""Share of the range by which an answer may exceed it: a run clips the rest."""
_FAINT: Final = 1 / 255
"""Least chroma of an answer: with less, the network colors nothing or uses another unit."""
_LEAST_SHARE: Final = 0.5
"""Least share of the chroma of middle greys that fits into the gamut, in the mean."""
_LEAST_LIKENESS: Final = 0.9
"""Least correlation of the input's luma with that of an RGB answer."""
_MOST_APART: Final = 0.25
"""Largest mean difference of the two, of 1."""
_SAME: Final = 0.01
"""Share of the range by which an answer may depend on the rest of its batch."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Hold the results of a trial.

    shapes: H x W of the pictures.  low, high: the range of all answers.  chroma: the largest.
    takes_batches: whether two pictures at once have the answers of single ones.
    """

    shapes: tuple[tuple[int, int], ...]
    low: float
    high: float
    chroma: float
    takes_batches: bool


def probe_model(colorizer: Colorizer, origin: str, batches: bool) -> ProbeResult:
    """Run a network on the trial pictures, one by one and, if `batches`, two at once.

    Raises ModelError that names it as `origin`, with what was expected and found.
    """
    contract = colorizer.contract
    pictures = make_probe_pictures(contract.input)
    answers = [(luma, _run_network(colorizer, [luma], origin)) for luma in pictures]
    ranges = [_check_range(answer, colorizer, origin) for _, answer in answers]
    peaks = [_measure_peak_chroma(answer, luma, colorizer, origin) for luma, answer in answers]
    if max(peaks) < _FAINT:
        raise ModelError(
            f"{origin}: expected colors; found chroma of {max(peaks):.5f} at most on a ramp and a "
            f"scene; are its answers in {contract.output.low:g} to {contract.output.high:g}? "
            "--contract can say otherwise"
        )
    return ProbeResult(
        _list_shapes(contract.input),
        min(low for low, _ in ranges),
        max(high for _, high in ranges),
        max(peaks),
        batches and _supports_batches(colorizer, answers),
    )


def _list_shapes(model_input: InputContract) -> tuple[tuple[int, int], ...]:
    """Return the different working sizes of a square and an oblong picture."""
    sizes = (model_input.compute_working_size(*shape) for shape in ((600, 600), (600, 900)))
    return tuple(dict.fromkeys(sizes))


def make_probe_pictures(model_input: InputContract) -> Iterator[FloatArray]:
    """Yield luma at working size: a ramp, and a scene for each shape."""
    shapes = _list_shapes(model_input)
    height, width = shapes[0]
    yield np.repeat(np.linspace(0, 1, width, dtype=np.float32)[None], height, axis=0)
    for height, width in shapes:
        yield _draw_scene(height, width)


def _draw_scene(height: int, width: int) -> FloatArray:
    """Draw soft shapes, light above and dark below, with the shading of photographs."""
    noise = np.random.default_rng(0).normal(size=(height, width)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), max(1.0, min(height, width) / 24))
    sky = np.linspace(0.75, 0.3, height, dtype=np.float32)[:, None]
    return np.asarray(np.clip(sky + soft * (0.2 / soft.std()), 0, 1), dtype=np.float32)


def _run_network(colorizer: Colorizer, lumas: list[FloatArray], origin: str) -> FloatArray:
    model_input = colorizer.contract.input
    answer = colorizer.infer(np.concatenate([pack(luma, model_input) for luma in lumas]))
    height, width = lumas[0].shape
    tall, wide = answer.shape[2:]
    # The tolerance covers the rounding of an axis that was divided.
    if not tall or not wide or abs(tall * width - wide * height) > max(height, width):
        raise ModelError(
            f"{origin}: expected an answer of the shape of the picture, {height} x {width}; "
            f"found {tall} x {wide}"
        )
    return answer


def _check_range(answer: FloatArray, colorizer: Colorizer, origin: str) -> tuple[float, float]:
    output = colorizer.contract.output
    planes = _scale_answer(answer, colorizer)
    low, high = float(planes.min()), float(planes.max())
    slack = _BEYOND * (output.high - output.low)
    if low < output.low - slack or high > output.high + slack:
        raise ModelError(
            f"{origin}: expected answers from {output.low:g} to {output.high:g} "
            f"({output.space}); found {low:.4g} to {high:.4g}"
        )
    return low, high


def _check_likeness(
    answer: FloatArray, luma: FloatArray, colorizer: Colorizer, origin: str
) -> None:
    """Raise ModelError if an RGB answer does not have the luma of its input."""
    output = colorizer.contract.output
    unit = (_scale_answer(answer, colorizer)[0] - output.low) / (output.high - output.low)
    answer_luma = (unit @ np.array([KR, KG, KB], dtype=np.float32)).ravel()
    expected = cv2.resize(luma, unit.shape[1::-1], interpolation=cv2.INTER_AREA).ravel()
    difference = float(np.abs(answer_luma - expected).mean())
    covariance = float(((answer_luma - answer_luma.mean()) * (expected - expected.mean())).mean())
    correlation = covariance / max(float(answer_luma.std() * expected.std()), 1e-9)
    if difference > _MOST_APART or correlation < _LEAST_LIKENESS:
        raise ModelError(
            f"{origin}: expected the picture that is shown, in color; found one whose luma is "
            f"{difference:.2f} away in the mean (of 1) and correlates by {correlation:.2f}; is the "
            "range or the scaling of its input or output another?"
        )


def _scale_answer(answer: FloatArray, colorizer: Colorizer) -> FloatArray:
    """Return the answer as N x h x w x c in the range of the contract."""
    std, mean = map(np.asarray, (colorizer.contract.output.std, colorizer.contract.output.mean))
    return np.asarray(answer.transpose(0, 2, 3, 1) * std + mean, dtype=np.float32)


def _measure_peak_chroma(
    answer: FloatArray, luma: FloatArray, colorizer: Colorizer, origin: str
) -> float:
    """Return the largest chroma; raises ModelError if most of it is outside the gamut."""
    if colorizer.contract.output.space == "rgb":
        _check_likeness(answer, luma, colorizer, origin)
    mask = unpack(answer, luma, colorizer.contract.output)
    height, width = mask.shape[:2]
    small = np.asarray(cv2.resize(luma, (width, height)), dtype=np.float32)
    middle = (small > np.float32(0.2)) & (small < np.float32(0.8))
    share = float(compute_gamut_share(small, mask)[middle].mean())
    if share < _LEAST_SHARE:
        raise ModelError(
            f"{origin}: expected colors that can be shown; found such that {share:.0%} of their "
            "chroma fits on middle greys; is the range of its answers another?"
        )
    return float(np.hypot(mask[..., 0], mask[..., 1]).max())


def _supports_batches(colorizer: Colorizer, answers: list[tuple[FloatArray, FloatArray]]) -> bool:
    lumas, single = zip(*answers[:2], strict=True)
    output = colorizer.contract.output
    try:
        both = _run_network(colorizer, list(lumas), "")
    except ModelError:
        return False
    difference = np.abs(both - np.concatenate(single)).transpose(0, 2, 3, 1) * np.abs(output.std)
    return bool(difference.max() <= _SAME * (output.high - output.low))
