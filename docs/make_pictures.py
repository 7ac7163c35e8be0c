"""Make docs/pictures from scikit-image's free photographs and the default model.

Run it again after a new model:  python docs/make_pictures.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import numpy.typing as npt
from skimage import data

from archive_colorizer.color.blend import blend_rgb
from archive_colorizer.color.resample import shrink
from archive_colorizer.color.sharpen import sharpen
from archive_colorizer.color.space import compute_luma
from archive_colorizer.model.color_spaces import pack
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.ensemble import Ensemble
from archive_colorizer.model.registry import find_model
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.restore.colorize import colorize_photo
from archive_colorizer.restore.contact_sheet import Tile, draw_contact_sheet
from archive_colorizer.restore.guides import NO_GUIDES, Guides
from archive_colorizer.restore.render import get_sharpening

PICTURES = Path(__file__).parent / "pictures"
NAMES = ("astronaut", "chelsea", "rocket", "coffee")
FACE = (slice(0, 256), slice(96, 352))
"""Head and shoulders of the astronaut: the baseline has only seen close faces."""
HEIGHT = 280


def painter_with(model: str) -> Ensemble:
    """A network of the shelf, open."""
    return Ensemble((open_colorizer(find_model(model)),))


def colored(
    luma: npt.NDArray[np.uint8], painter: Ensemble, recipe: Recipe, aids: Guides = NO_GUIDES
) -> npt.NDArray[np.uint8]:
    """What a run makes of a grey photograph."""
    field, _measures = colorize_photo(luma, painter, recipe, aids)
    return blend_rgb(luma, field)


def row(name: str, columns: str) -> npt.NDArray[np.uint8]:
    """grey, result and truth of one photograph, side by side."""
    truth = np.ascontiguousarray(getattr(data, name)())
    luma = compute_luma(truth)
    painter = painter_with("default")
    shown = {
        "g": np.repeat(luma[..., None], 3, axis=2),
        "r": colored(luma, painter, Recipe()),
        "t": truth,
    }
    width = round(truth.shape[1] * HEIGHT / truth.shape[0])
    cells = [
        cv2.resize(shown[one], (width, HEIGHT), interpolation=cv2.INTER_AREA) for one in columns
    ]
    return np.concatenate(cells, axis=1)


def idea() -> npt.NDArray[np.uint8]:
    """The idea, step by step; see the-idea.md."""
    truth = np.ascontiguousarray(data.astronaut()[FACE])
    luma = compute_luma(truth)
    baseline = open_colorizer(find_model("vgg-autoencoder"))
    given = baseline.contract.input
    seen = shrink(luma, *given.compute_working_size(*luma.shape))
    painted = np.clip(baseline.infer(pack(seen, given))[0].transpose(1, 2, 0), 0, 1)
    blurry = cv2.resize(painted, luma.shape[::-1], interpolation=cv2.INTER_LINEAR)
    painter = painter_with("vgg-autoencoder")
    soft = cv2.GaussianBlur(luma, (0, 0), 2.0)
    sharpened = cv2.addWeighted(luma, 1.6, soft, -0.6, 0)
    corrected, _measures = colorize_photo(luma, painter, Recipe(saturation=1.3, hue=4.0))
    cells = [
        np.repeat(luma[..., None], 3, axis=2),
        np.rint(blurry * 255).astype(np.uint8),
        colored(luma, painter, Recipe()),
        blend_rgb(np.asarray(sharpened, np.uint8), corrected),
        colored(luma, painter_with("default"), Recipe()),
        truth,
    ]
    return np.concatenate(cells, axis=1)


def steps(name: str, setting: str, values: tuple[float, ...]) -> npt.NDArray[np.uint8]:
    """One photograph with a setting of the recipe at each of the values; see settings.md."""
    luma = compute_luma(np.ascontiguousarray(getattr(data, name)()))
    painter = painter_with("default")
    width = round(luma.shape[1] * HEIGHT / luma.shape[0])
    cells = []
    for value in values:
        recipe = Recipe().apply({setting: value}, setting)
        shown = colored(luma, painter, recipe)
        cells.append(cv2.resize(shown, (width, HEIGHT), interpolation=cv2.INTER_AREA))
    return np.concatenate(cells, axis=1)


def looks(
    name: str, columns: int, *wanted: dict[str, object], part: tuple[slice, slice] | None = None
) -> npt.NDArray[np.uint8]:
    """One photograph with each of some settings, labelled; `part` of it, or all of it, small."""
    luma = np.asarray(compute_luma(np.ascontiguousarray(getattr(data, name)())), np.uint8)
    painter = painter_with("default")

    def tile(given: dict[str, object]) -> Tile:
        recipe = Recipe().apply(given, name)
        sized = Ensemble.build(painter.colorizers, recipe)
        how = get_sharpening(recipe)
        field, _measures = colorize_photo(luma, sized, recipe)
        shown = blend_rgb(luma if how is None else sharpen(luma, how), field)
        words = "\n".join(f"{key} {_said(value)}" for key, value in given.items())
        return Tile(np.asarray(shown[part] if part else shown, np.uint8), words or "as by default")

    return draw_contact_sheet(map(tile, wanted), columns, HEIGHT)[1]


def _said(value: object) -> str:
    """A setting's value as an option has it."""
    if isinstance(value, list):
        rows = [dict(one) for one in value]
        return ", ".join(
            f"{row.pop('name')}:" + ",".join(f"{key}={one}" for key, one in row.items())
            for row in rows
        )
    return str(value)


def write_looks() -> None:
    """Write the labelled pictures of settings.md."""
    names = ("none", "natural", "vivid", "faded", "portrait", "hand-tinted")
    write("presets.jpg", looks("astronaut", 3, *({"preset": one} for one in names)))
    skin = [{"name": "skin", "saturation": 0.5}]
    blues = [{"name": "blues", "saturation": 2.0}, {"name": "cyans", "saturation": 2.0}]
    turned = [{"name": "blues", "shift": -60}]
    hues = ({}, {"hue_range": skin}, {"hue_range": blues}, {"hue_range": turned})
    write("hue-range.jpg", looks("coffee", 2, *hues))
    lumas: tuple[dict[str, object], ...] = (
        {},
        {"strength_shadows": 0.0, "strength_highlights": 0.0},
        {"blend": "soft-light"},
        {"blend": "soft-light", "saturation": 2.0},
    )
    write("blend.jpg", looks("astronaut", 4, *lumas))
    sizes = ({"working_size": size} for size in (128, 256, 512))
    write("working-size.jpg", looks("astronaut", 3, *sizes))
    amounts: tuple[dict[str, object], ...] = (
        {},
        {"sharpen": 0.8},
        {"sharpen": 0.8, "sharpen_radius": 3.0},
        {"sharpen": 2.0, "sharpen_radius": 3.0},
    )
    write("sharpen.jpg", looks("chelsea", 4, *amounts, part=(slice(0, 280), slice(80, 370))))
    write("grid.jpg", grid())


def grid() -> npt.NDArray[np.uint8]:
    """What --grid saturation=0.8,1,1.2 strength=0.7,1 shows."""
    cells = [
        {"saturation": saturation, "strength": strength}
        for strength in (0.7, 1.0)
        for saturation in (0.8, 1.0, 1.2)
    ]
    return looks("astronaut", 3, *cells)


SUIT = "#b8572f"
STROKES = (
    (((60, 320), (85, 420)), SUIT),
    (((50, 485), (105, 465)), SUIT),
    (((180, 300), (230, 460)), SUIT),
    (((300, 300), (312, 330)), SUIT),
    (((20, 55), (28, 100)), "#2b3566"),
    (((50, 140), (80, 200)), "#a03038"),
    (((10, 245), (28, 300)), "#a03038"),
    (((8, 425), (14, 460)), "#a03038"),
    (((20, 175), (40, 220)), "#c8c4bc"),
    (((5, 330), (10, 370)), "#c8c4bc"),
    (((58, 110), (68, 150)), "#c8c4bc"),
)
"""What somebody who was there could paint on the astronaut's portrait."""


def strokes_of(shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The strokes on a transparent layer, R, G, B, A."""
    layer = np.zeros((*shape, 4), np.uint8)
    for (begin, end), color in STROKES:
        rgb = (int(color[at : at + 2], 16) for at in (1, 3, 5))
        cv2.line(layer, begin, end, (*rgb, 255), 9)
    return layer


def hints() -> npt.NDArray[np.uint8]:
    """Grey with strokes, the network alone, and with known colors; see settings.md."""
    luma = compute_luma(np.ascontiguousarray(data.astronaut()))
    layer = strokes_of(luma.shape)
    grey = np.repeat(luma[..., None], 3, axis=2)
    painted = np.where(layer[..., 3:] > 0, layer[..., :3], grey)
    stored = cv2.imencode(".png", cv2.cvtColor(layer, cv2.COLOR_RGBA2BGRA))[1].tobytes()
    told = Guides(strokes=stored, max_pixels=luma.size)
    painter = painter_with("default")
    return side_by_side(
        painted, colored(luma, painter, Recipe()), colored(luma, painter, Recipe(), told)
    )


def mask() -> npt.NDArray[np.uint8]:
    """A mask, and the photograph with and without it; see settings.md."""
    luma = compute_luma(np.ascontiguousarray(data.coffee()))
    light = np.zeros(luma.shape, np.uint8)
    cv2.ellipse(light, (300, 235), (238, 190), 0, 0, 360, 255, -1)
    painter = painter_with("default")
    return side_by_side(
        np.repeat(light[..., None], 3, axis=2),
        colored(luma, painter, Recipe()),
        colored(luma, painter, Recipe(), Guides(mask=light)),
    )


def reference() -> npt.NDArray[np.uint8]:
    """The network alone, a reference, and the network with its palette; see settings.md."""
    luma = compute_luma(np.ascontiguousarray(data.coffee()))
    painter = painter_with("default")
    palette = np.ascontiguousarray(data.chelsea())
    with TemporaryDirectory() as folder:
        place = Path(folder, "chelsea.png")
        cv2.imwrite(str(place), palette[..., ::-1])
        moved = colored(luma, painter, Recipe(reference=str(place)))
    return side_by_side(colored(luma, painter, Recipe()), palette, moved)


def borders() -> npt.NDArray[np.uint8]:
    """A photograph on a tilted mount, colored without and with --borders auto; see settings.md."""
    photo = compute_luma(np.ascontiguousarray(data.chelsea()))
    mount = np.full((photo.shape[0] + 110, photo.shape[1] + 130), 214, np.uint8)
    mount[50:-60, 65:-65] = photo
    cv2.putText(mount, "Chelsea, 1921", (230, mount.shape[0] - 22), 2, 0.7, 70, 1, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((mount.shape[1] / 2, mount.shape[0] / 2), 1.5, 1)
    scan = cv2.warpAffine(mount, turn, mount.shape[::-1], borderValue=214)
    luma = np.asarray(scan, dtype=np.uint8)
    painter = painter_with("default")
    return side_by_side(*(colored(luma, painter, Recipe(borders=one)) for one in ("none", "auto")))


def side_by_side(*pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Pictures of one height in a row."""
    cells = []
    for one in pictures:
        width = round(one.shape[1] * HEIGHT / one.shape[0])
        cells.append(cv2.resize(one, (width, HEIGHT), interpolation=cv2.INTER_AREA))
    return np.concatenate(cells, axis=1)


def write(name: str, rgb: npt.NDArray[np.uint8]) -> None:
    """Write one JPEG."""
    cv2.imwrite(str(PICTURES / name), rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


def main() -> None:
    """Write the pictures of the README, the model card, the-idea.md and settings.md."""
    PICTURES.mkdir(exist_ok=True)
    write(
        "before-after.jpg",
        np.concatenate([row(one, "gr") for one in ("astronaut", "rocket")], axis=1),
    )
    rows = [row(name, "grt") for name in NAMES]
    widest = max(one.shape[1] for one in rows)
    padded = [
        np.pad(one, ((0, 4), (0, widest - one.shape[1]), (0, 0)), constant_values=255)
        for one in rows
    ]
    write("default-model.jpg", np.concatenate(padded))
    write("the-idea.jpg", idea())
    write("strength.jpg", steps("astronaut", "strength", (0.0, 0.4, 0.7, 1.0)))
    write("saturation.jpg", steps("astronaut", "saturation", (0.5, 1.0, 1.5, 2.0)))
    write("hints.jpg", hints())
    write("mask.jpg", mask())
    write("reference.jpg", reference())
    write("borders.jpg", borders())
    write("hue.jpg", steps("astronaut", "hue", (-20.0, 0.0, 20.0)))
    write_looks()


if __name__ == "__main__":
    main()
