"""Recipe: everything a user may choose, with its default, its bounds and where it came from.

Defaults < preset < recipe file (TOML) < options given.  Unknown keys are errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Final, Literal, Self

from archive_colorizer.device import parse_device
from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.color_hints import HintPoint
from archive_colorizer.recipe.fields import Settings, pixels, running
from archive_colorizer.recipe.hue_ranges import HueRange
from archive_colorizer.recipe.presets import PRESETS, expanded


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(Settings):
    """All settings of a run.

    preset: a look that has a name, which the other settings of the same table overrule.
    strength: share of the predicted color that is used, 0 (neutral) to 1.
    strength_shadows, strength_highlights: shares of the strength in dark and light places.
    saturation, value: factors on S and V of the color mask in HSV, 0 to 4.
    hue: turn of the mask's hue in degrees, taken modulo 360.
    hue_range: corrections of some hues only.
    blend: luma takes the mask's color as it is, soft-light as a soft-light layer gives it.
    working_size: pixels that the network sees of a side; 0 for what its model was made for.
    sharpen: amount of an unsharp mask on luma, which then is not the source's own; 0 for none.
    sharpen_radius: of its blur in pixels.
    sharpen_threshold: detail that is left alone as grain, in levels of 255.
    reference: a photograph in color, to whose palette all masks are moved; empty is none.
    reference_strength: how far they are moved, 0 to 1.
    reference_sha256: of that file; a run fills it in, and refuses another file where it is given.
    hint: known colors of places, which spread from there; for a single photograph.
    borders: auto finds borders of plates, film edges and margins, and leaves them neutral.
    jpeg_quality: 1 to 100, or 0 for the least that keeps luma within 1 code value.
    luma: of JPEG results; lossless carries the source's luma coefficients over bit for bit, also
        out of files for which that is more work.
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
    device: auto, cpu, cuda or tensorrt, or one card as cuda:1; fails where that cannot be used.
    executor: dask (local processes) or serial (in this process).
    scheduler: of a Dask cluster that is there, tcp://HOST:PORT, tls://HOST:PORT or a scheduler
        file; empty is this machine alone.
    tls_ca, tls_cert, tls_key: PEM files for a tls:// scheduler; empty are Dask's own settings.
    workers: worker processes; 0 means one a core, one a graphics card where one is used, or all
        threads of a cluster.
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

    preset: str = running("none", choices=tuple(PRESETS))
    strength: float = pixels(1.0, 0.0, 1.0)
    strength_shadows: float = pixels(1.0, 0.0, 1.0, later=True)
    strength_highlights: float = pixels(1.0, 0.0, 1.0, later=True)
    saturation: float = pixels(1.0, 0.0, 4.0)
    hue: float = pixels(0.0, -360.0, 360.0)
    value: float = pixels(1.0, 0.0, 4.0)
    hue_range: tuple[HueRange, ...] = pixels((), later=True, rows=HueRange)
    blend: Literal["luma", "soft-light"] = pixels(
        "luma", choices=("luma", "soft-light"), later=True
    )
    working_size: int = pixels(0, 0, 4096, later=True)
    sharpen: float = pixels(0.0, 0.0, 5.0, later=True)
    sharpen_radius: float = pixels(1.0, 0.3, 50.0, later=True)
    sharpen_threshold: float = pixels(0.0, 0.0, 255.0, later=True)
    reference: str = running("")
    reference_strength: float = pixels(1.0, 0.0, 1.0, later=True)
    reference_sha256: str = pixels("", later=True)
    hint: tuple[HintPoint, ...] = pixels((), later=True, rows=HintPoint)
    borders: Literal["none", "auto"] = pixels("none", choices=("none", "auto"), later=True)
    jpeg_quality: int = pixels(0, 0, 100)
    luma: Literal["encoded", "lossless"] = pixels("encoded", choices=("encoded", "lossless"))
    profile: Literal["srgb", "keep"] = pixels("srgb", choices=("srgb", "keep"))
    format: Literal["same", "tiff", "png", "jpeg", "webp", "jp2"] = pixels(
        "same", choices=("same", "tiff", "png", "jpeg", "webp", "jp2")
    )
    page: int = pixels(0, 0)
    mark: Literal["none", "corner"] = pixels("none", choices=("none", "corner"))
    sidecar: bool = pixels(False)
    c2pa: bool = pixels(False)
    source_type: str = pixels(
        "compositeWithTrainedAlgorithmicMedia",
        choices=(
            "compositeWithTrainedAlgorithmicMedia",
            "algorithmicallyEnhanced",
            "trainedAlgorithmicMedia",
            "compositeSynthetic",
        ),
    )
    merge_mode: Literal["mean", "chroma-limited", "luma-masked", "luma-weighted"] = pixels(
        "mean", choices=("mean", "chroma-limited", "luma-masked", "luma-weighted")
    )
    merge_weight: float = pixels(0.5, 0.0, 1.0)
    cert: str = running("")
    key: str = running("")
    model: str = running("default")
    merge: str = running("")
    device: str = running("auto")
    executor: str = running("dask", choices=("dask", "serial"))
    scheduler: str = running("")
    tls_ca: str = running("")
    tls_cert: str = running("")
    tls_key: str = running("")
    workers: int = running(0, low=0)
    timeout: float = running(300.0, low=0.0)
    max_memory: float = running(0.0, low=0.0)
    max_megapixels: float = running(300.0, low=0.0)
    time_budget: float = running(0.0, low=0.0)
    nice: int = running(0, low=0, high=19)
    force: bool = running(False)
    paranoid: bool = running(False)
    weak_grey: float = running(0.012, low=0.0)
    weak_one_color: float = running(0.995, low=0.0)
    weak_blotches: float = running(0.02, low=0.0)
    weak_clipped: float = running(0.3, low=0.0)
    weak_skin: float = running(4.0, low=0.0)

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        parse_device(self.device)
        if self.scheduler and self.executor != "dask":
            raise UsageError(f"a scheduler is Dask's, and executor is {self.executor!r}")

    @property
    def max_pixels(self) -> int:
        """What `max_megapixels` allows."""
        return int(self.max_megapixels * 1e6)

    def changed(self, given: Mapping[str, object], origin: str) -> Self:
        """As that of Settings; a preset in `given` decides the whole look before the rest."""
        return Settings.changed(self, expanded(given, DEFAULTS), origin)


DEFAULTS: Final = {one.name: one.default for one in fields(Recipe)}


def check_together(recipe: Recipe) -> None:
    """Raise UsageError for settings of which each is sound and that cannot stand together."""
    if recipe.sharpen and recipe.luma == "lossless":
        raise UsageError(
            "sharpen changes luma, and luma = lossless carries it over bit for bit; "
            "choose one of them"
        )


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

    smoothing: float = pixels(0.7, 0.0, 1.0)
    codec: Literal["same", "ffv1", "h264", "h265", "prores"] = pixels(
        "same", choices=("same", "ffv1", "h264", "h265", "prores")
    )
    rate: str = pixels("")
    shortest: int = running(12, low=1)
    longest: int = running(240, low=16)
    allow_missing: bool = running(False)

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
