"""Recipe: everything a user may choose, with its default, its bounds and where it came from.

Defaults < recipe file (TOML) < options given.  Unknown keys are errors.
"""

import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self, cast

from archive_colorizer.duration import seconds_of
from archive_colorizer.errors import UsageError


def _pixels(
    default: Any,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A setting that changes the result and therefore the digest."""
    bounds = {"pixels": True, "low": low, "high": high, "choices": choices}
    return field(default=default, metadata=bounds)


def _running(
    default: Any,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A setting that changes only how the work is done."""
    bounds = {"pixels": False, "low": low, "high": high, "choices": choices}
    return field(default=default, metadata=bounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Named values with bounds, of which some change the result."""

    def __post_init__(self) -> None:
        for one in fields(self):
            _check(one.name, getattr(self, one.name), one.default, one.metadata)

    def digest(self) -> str:
        """sha256 over the settings that change pixels; the model has a digest of its own."""
        chosen = {f.name: getattr(self, f.name) for f in fields(self) if f.metadata["pixels"]}
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()

    def as_dict(self) -> dict[str, object]:
        """All settings as plain values, for the manifest."""
        return asdict(self)

    def changed(self, given: Mapping[str, object], origin: str) -> Self:
        """These settings with the settings of `given`; `origin` names them in errors.

        Raises UsageError for an unknown key (naming the nearest known one) and for a value
        of the wrong type or out of bounds.
        """
        reject_unknown(given, [f.name for f in fields(self)], origin)
        try:
            values: dict[str, Any] = {k: self._widened(k, v) for k, v in given.items()}
            return replace(self, **values)
        except UsageError as error:
            raise UsageError(f"{origin}: {error}") from None

    def _widened(self, name: str, value: object) -> object:
        """TOML writes 1 for 1.0: a float setting takes both.

        A rate is kept as written, and a time budget may have units.
        """
        if name == "time_budget" and isinstance(value, str):
            return seconds_of(value)
        default = next(f.default for f in fields(self) if f.name == name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        if name == "rate":
            return str(value)
        return float(value) if isinstance(default, float) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(Settings):
    """All settings of a run.

    strength: share of the predicted color that is used, 0 (neutral) to 1.
    saturation, value: factors on S and V of the color mask in HSV, 0 to 4.
    hue: turn of the mask's hue in degrees, taken modulo 360.
    jpeg_quality: 1 to 100, or 0 for the least that keeps luma within 1 code value.
    luma: of JPEG results; lossless carries the source's luma coefficients over bit for bit.
    profile: srgb converts pixels of another color space to sRGB, keep stays in theirs.
    format: of results; same is the source's, or the nearest lossless one that can be written.
    page: of files with several pictures, from 1; 0 takes the first and warns of the others.
    mark: corner writes a few visible words into the picture, which changes luma there.
    sidecar: metadata beside every result, as name.ext.xmp, too.
    source_type: the IPTC's digital source type that results state; none means colorization.
    c2pa, cert, key: sign results with Content Credentials; PEM chain and its private key.
    model: a name on the shelf, or the path of an .onnx file.
    merge: a second model, whose masks are merged with those of the first; empty is none.
    merge_mode: mean, or what of the second counts: limited in its distance from the first,
        masked where the picture is dark, or weighted by how light the whole picture is.
    merge_weight: of the second model, 0 to 1.
    device: auto, cpu or cuda; cuda fails when CUDA cannot be used.
    executor: dask (local processes) or serial (in this process).
    workers: worker processes; 0 means one a core.
    timeout: seconds for one file, 0 for any number; not kept by the serial executor.
    max_memory: gigabytes for one worker, 0 for its share; not kept by the serial executor.
    max_megapixels: larger pictures are refused from their header.
    time_budget: seconds, or 90m, 2h, 1h30m, after which no new file is begun; 0 for none.
    nice: least niceness of this process and its workers, 0 to 19, the most yielding.
    force: restore photographs that already have color, too.
    paranoid: decode every result with other libraries before it gets its name; not of films.
    weak_grey: results whose color is weaker than this are flagged; docs/report.md.
    weak_one_color, weak_blotches, weak_clipped, weak_skin: likewise, above these.
    """

    strength: float = _pixels(1.0, 0.0, 1.0)
    saturation: float = _pixels(1.0, 0.0, 4.0)
    hue: float = _pixels(0.0, -360.0, 360.0)
    value: float = _pixels(1.0, 0.0, 4.0)
    jpeg_quality: int = _pixels(0, 0, 100)
    luma: Literal["encoded", "lossless"] = _pixels("encoded", choices=("encoded", "lossless"))
    profile: Literal["srgb", "keep"] = _pixels("srgb", choices=("srgb", "keep"))
    format: Literal["same", "tiff", "png", "jpeg", "webp", "jp2"] = _pixels(
        "same", choices=("same", "tiff", "png", "jpeg", "webp", "jp2")
    )
    page: int = _pixels(0, 0)
    mark: Literal["none", "corner"] = _pixels("none", choices=("none", "corner"))
    sidecar: bool = _pixels(False)
    c2pa: bool = _pixels(False)
    source_type: str = _pixels(
        "compositeWithTrainedAlgorithmicMedia",
        choices=(
            "compositeWithTrainedAlgorithmicMedia",
            "algorithmicallyEnhanced",
            "trainedAlgorithmicMedia",
            "compositeSynthetic",
        ),
    )
    merge_mode: Literal["mean", "chroma-limited", "luma-masked", "luma-weighted"] = _pixels(
        "mean", choices=("mean", "chroma-limited", "luma-masked", "luma-weighted")
    )
    merge_weight: float = _pixels(0.5, 0.0, 1.0)
    cert: str = _running("")
    key: str = _running("")
    model: str = _running("default")
    merge: str = _running("")
    device: str = _running("auto", choices=("auto", "cpu", "cuda"))
    executor: str = _running("dask", choices=("dask", "serial"))
    workers: int = _running(0, low=0)
    timeout: float = _running(300.0, low=0.0)
    max_memory: float = _running(0.0, low=0.0)
    max_megapixels: float = _running(300.0, low=0.0)
    time_budget: float = _running(0.0, low=0.0)
    nice: int = _running(0, low=0, high=19)
    force: bool = _running(False)
    paranoid: bool = _running(False)
    weak_grey: float = _running(0.012, low=0.0)
    weak_one_color: float = _running(0.995, low=0.0)
    weak_blotches: float = _running(0.02, low=0.0)
    weak_clipped: float = _running(0.3, low=0.0)
    weak_skin: float = _running(4.0, low=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmRecipe(Settings):
    """What only films have: the table `[film]` of a recipe file.

    smoothing: how much of the color comes from the frames around one, 0 (none) to 1.
    codec: of videos; same is lossless FFV1 for masters and the source's own where it is lossy.
    rate: frames a second of numbered frames, as 24 or 24000/1001; empty is 24.
    shortest: frames; shots that are shorter are joined with their neighbor.
    longest: frames that one job restores; longer shots are shared among workers.
    allow_missing: put the film together although shots have failed, with their grey original.
    """

    smoothing: float = _pixels(0.7, 0.0, 1.0)
    codec: Literal["same", "ffv1", "h264", "h265", "prores"] = _pixels(
        "same", choices=("same", "ffv1", "h264", "h265", "prores")
    )
    rate: str = _pixels("")
    shortest: int = _running(12, low=1)
    longest: int = _running(240, low=16)
    allow_missing: bool = _running(False)

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        self.frames_a_second()

    def frames_a_second(self) -> Fraction | None:
        """The rate, exact, where one is given; raises UsageError when it is none."""
        if not self.rate:
            return None
        try:
            rate = Fraction(self.rate)
        except (ValueError, ZeroDivisionError):
            rate = Fraction(0)
        if not 0 < rate <= 1000:
            raise UsageError(f"rate must be frames a second, as 24 or 24000/1001, not {self.rate}")
        return rate


def load_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Raises UsageError that names the file when it cannot be read or is no TOML.
    """
    return load_recipes(path)[0]


def load_recipes(path: Path) -> tuple[Recipe, FilmRecipe]:
    """Read a recipe file and its table `[film]`; raises as `load_recipe` does."""
    given, film, _ = read_tables(path)
    origin = f"recipe {path}"
    return Recipe().changed(given, origin), FilmRecipe().changed(film, f"{origin}, [film]")


def read_tables(path: Path) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
    """What stands in a recipe file, in its table `[film]`, and in each `[[film.shot]]`, unchecked.

    Raises UsageError that names the file when it cannot be read or is no TOML.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"recipe {path}: {error}") from None
    film = given.pop("film", {})
    if not isinstance(film, dict):
        raise UsageError(f"recipe {path}: film must be a table, [film], not {film!r}")
    shots = film.pop("shot", [])
    if not isinstance(shots, list):
        raise UsageError(f"recipe {path}: a shot must be a table, [[film.shot]], not {shots!r}")
    return given, film, shots


def reject_unknown(given: Mapping[str, object], known: Sequence[str], origin: str) -> None:
    """Raise UsageError for a key that is not among `known`; it names the nearest one."""
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
            raise UsageError(f"{origin}: unknown setting {key!r}{hint}")


def _check(name: str, value: object, default: object, bounds: Mapping[str, Any]) -> None:
    if type(value) is not type(default):
        raise UsageError(f"{name} must be {type(default).__name__}, not {value!r}")
    choices, low, high = bounds.get("choices"), bounds.get("low"), bounds.get("high")
    if choices and value not in choices:
        raise UsageError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    # "not (value >= low)" and not "value < low": NaN is out of bounds, too.
    too_low = low is not None and not cast(float, value) >= low
    too_high = high is not None and not cast(float, value) <= high
    if too_low or too_high:
        limit = f"at least {low:g}" if high is None else f"between {low:g} and {high:g}"
        raise UsageError(f"{name} must be {limit}, not {value!r}")
