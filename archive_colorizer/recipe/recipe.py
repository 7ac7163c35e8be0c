"""Define the settings of a run, with their defaults and bounds.

Precedence: defaults < preset < recipe file (TOML) < options.  Unknown keys are errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Final, Literal, Self

from archive_colorizer.device import Device
from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.color_hints import HintPoint
from archive_colorizer.recipe.fields import Settings, pixel_setting, run_setting
from archive_colorizer.recipe.hue_ranges import HueRange
from archive_colorizer.recipe.presets import LOOK, PRESETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(Settings):
    """Hold all settings of a run.

    preset: a named look; other settings of the same table overrule it.
    strength: share of the predicted color that is used, 0 (neutral) to 1.
    strength_shadows, strength_highlights: shares of the strength in dark and light places.
    saturation, value: factors on S and V of the color mask in HSV, 0 to 4.
    hue: rotation of the mask's hue in degrees, taken modulo 360.
    hue_range: corrections of some hues only.
    blend: luma uses the color of the mask as it is, soft-light applies it as such a layer.
    working_size: side of the network's input in pixels; 0 is the size of the model.
    sharpen: amount of an unsharp mask on luma, which then differs from the source; 0 for none.
    sharpen_radius: radius of its blur in pixels.
    sharpen_threshold: detail that is kept as grain, in levels of 255.
    reference: a photograph in color, to whose palette all masks are moved; empty is none.
    reference_strength: how far they are moved, 0 to 1.
    reference_sha256: digest of that file; a run fills it in, and refuses another file if set.
    hint: known colors of places, which spread from there; for a single photograph.
    borders: auto finds borders of plates, film edges and margins, and leaves them neutral.
    jpeg_quality: 1 to 100, or 0 for the lowest that keeps luma within 1 code value.
    luma: of JPEG results; lossless copies the source's luma coefficients bit for bit, also from
        files for which that takes more work.
    profile: srgb converts pixels of another color space to sRGB, keep leaves them in theirs.
    format: of results; same is the source's, or the nearest lossless one that can be written.
    page: of files with several pictures, from 1; 0 takes the first and warns of the others.
    mark: corner writes a few visible words into the picture, which changes luma there.
    sidecar: also write metadata next to every result, as name.ext.xmp.
    source_type: the IPTC's digital source type that results state.
    c2pa, cert, key: sign results with Content Credentials; PEM chain and its private key.
    model: the name of a model, or the path of an .onnx file.
    merge: a second model, whose masks are merged with those of the first; empty is none.
    merge_mode: mean, or how the second counts: limited in its distance from the first,
        masked where the picture is dark, or weighted by how light the whole picture is.
    merge_weight: of the second model, 0 to 1.
    device: auto, cpu, cuda or tensorrt, or one card as cuda:1; fails if it cannot be used.
    executor: dask (local processes) or serial (in this process).
    scheduler: of an existing Dask cluster, tcp://HOST:PORT, tls://HOST:PORT or a scheduler
        file; empty is this machine alone.
    tls_ca, tls_cert, tls_key: PEM files for a tls:// scheduler; empty are Dask's own settings.
    insecure: whether a scheduler without TLS may be used.
    workers: worker processes; 0 means one per core, one per graphics card in use, or all
        threads of a cluster.
    timeout: seconds for one file, 0 for no limit; ignored by the serial executor.
    max_memory: gigabytes for one worker, 0 for its share; ignored by the serial executor.
    max_megapixels: larger pictures are refused from their header.
    time_budget: seconds, or 90m, 2h, 1h30m, after which no new file is started; 0 for none.
    nice: lowest niceness of this process and its workers, 0 to 19 (most yielding).
    force: restore photographs that already have color, too.
    paranoid: decode every result with other libraries before it gets its name; not of films.
    weak_grey: results whose color is weaker than this are flagged; docs/report.md.
    weak_one_color, weak_blotches, weak_clipped, weak_skin: likewise, above these.
    """

    preset: str = run_setting("none", choices=tuple(PRESETS))
    strength: float = pixel_setting(1.0, 0.0, 1.0)
    strength_shadows: float = pixel_setting(1.0, 0.0, 1.0, later=True)
    strength_highlights: float = pixel_setting(1.0, 0.0, 1.0, later=True)
    saturation: float = pixel_setting(1.0, 0.0, 4.0)
    hue: float = pixel_setting(0.0, -360.0, 360.0)
    value: float = pixel_setting(1.0, 0.0, 4.0)
    hue_range: tuple[HueRange, ...] = pixel_setting((), later=True, rows=HueRange)
    blend: Literal["luma", "soft-light"] = pixel_setting("luma", later=True)
    working_size: int = pixel_setting(0, 0, 4096, later=True)
    sharpen: float = pixel_setting(0.0, 0.0, 5.0, later=True)
    sharpen_radius: float = pixel_setting(1.0, 0.3, 50.0, later=True)
    sharpen_threshold: float = pixel_setting(0.0, 0.0, 255.0, later=True)
    reference: str = run_setting("")
    reference_strength: float = pixel_setting(1.0, 0.0, 1.0, later=True)
    reference_sha256: str = pixel_setting("", later=True)
    hint: tuple[HintPoint, ...] = pixel_setting((), later=True, rows=HintPoint)
    borders: Literal["none", "auto"] = pixel_setting("none", later=True)
    jpeg_quality: int = pixel_setting(0, 0, 100)
    luma: Literal["encoded", "lossless"] = pixel_setting("encoded")
    profile: Literal["srgb", "keep"] = pixel_setting("srgb")
    format: Literal["same", "tiff", "png", "jpeg", "webp", "jp2"] = pixel_setting("same")
    page: int = pixel_setting(0, 0)
    mark: Literal["none", "corner"] = pixel_setting("none")
    sidecar: bool = pixel_setting(False)
    c2pa: bool = pixel_setting(False)
    source_type: Literal[
        "compositeWithTrainedAlgorithmicMedia",
        "algorithmicallyEnhanced",
        "trainedAlgorithmicMedia",
        "compositeSynthetic",
    ] = pixel_setting("compositeWithTrainedAlgorithmicMedia")
    merge_mode: Literal["mean", "chroma-limited", "luma-masked", "luma-weighted"] = pixel_setting(
        "mean"
    )
    merge_weight: float = pixel_setting(0.5, 0.0, 1.0)
    cert: str = run_setting("")
    key: str = run_setting("")
    model: str = run_setting("default")
    merge: str = run_setting("")
    device: str = run_setting("auto")
    executor: Literal["dask", "serial"] = run_setting("dask")
    scheduler: str = run_setting("")
    tls_ca: str = run_setting("")
    tls_cert: str = run_setting("")
    tls_key: str = run_setting("")
    insecure: bool = run_setting(False)
    workers: int = run_setting(0, low=0)
    timeout: float = run_setting(300.0, low=0.0)
    max_memory: float = run_setting(0.0, low=0.0)
    max_megapixels: float = run_setting(300.0, low=0.0)
    time_budget: float = run_setting(0.0, low=0.0)
    nice: int = run_setting(0, low=0, high=19)
    force: bool = run_setting(False)
    paranoid: bool = run_setting(False)
    weak_grey: float = run_setting(0.012, low=0.0)
    weak_one_color: float = run_setting(0.995, low=0.0)
    weak_blotches: float = run_setting(0.02, low=0.0)
    weak_clipped: float = run_setting(0.3, low=0.0)
    weak_skin: float = run_setting(4.0, low=0.0)

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        Device.parse(self.device)
        if self.scheduler and self.executor != "dask":
            raise UsageError(f"a scheduler is Dask's, and executor is {self.executor!r}")

    @property
    def max_pixels(self) -> int:
        """The limit of `max_megapixels`, in pixels."""
        return int(self.max_megapixels * 1e6)

    def apply(self, values: Mapping[str, object], origin: str) -> Self:
        """Apply settings as `Settings.apply`; a preset decides the whole look before the rest."""
        return self.replace_values(expand_preset(values), origin)

    def check_combination(self) -> None:
        """Raise UsageError for valid settings that contradict each other."""
        if self.sharpen and self.luma == "lossless":
            raise UsageError(
                "sharpen changes luma, and luma = lossless carries it over bit for bit; "
                "choose one of them"
            )


DEFAULTS: Final = {setting.name: setting.default for setting in fields(Recipe)}


def expand_preset(settings: Mapping[str, object]) -> dict[str, object]:
    """Return the look of the preset, overruled by the other settings of the table.

    An unknown preset is left for the check of settings to refuse.
    """
    name = settings.get("preset")
    if not isinstance(name, str) or name not in PRESETS:
        return dict(settings)
    return {**{key: DEFAULTS[key] for key in LOOK}, **PRESETS[name], **settings}


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmRecipe(Settings):
    """Hold the settings for films, the table `[film]` of a recipe file.

    smoothing: share of the color that comes from neighboring frames, 0 (none) to 1.
    codec: of videos; same is lossless FFV1 for masters and the source's own where it is lossy.
    rate: frames per second of numbered frames, as 24 or 24000/1001; empty is 24.
    shortest: frames; shorter shots are joined with their neighbor.
    longest: frames that one job restores; longer shots are shared among workers.
    allow_missing: join the film although shots have failed, with their grey original.
    """

    smoothing: float = pixel_setting(0.7, 0.0, 1.0)
    codec: Literal["same", "ffv1", "h264", "h265", "prores"] = pixel_setting("same")
    rate: str = pixel_setting("")
    shortest: int = run_setting(12, low=1)
    longest: int = run_setting(240, low=16)
    allow_missing: bool = run_setting(False)

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        self.parse_rate()

    def parse_rate(self) -> Fraction | None:
        """Return the exact rate, or None if it is empty; raises UsageError if it is invalid."""
        if not self.rate:
            return None
        try:
            rate = Fraction(self.rate)
        except (ValueError, ZeroDivisionError):
            rate = Fraction(0)
        if not 0 < rate <= 1000:
            raise UsageError(f"rate must be frames a second, as 24 or 24000/1001, not {self.rate}")
        return rate
