"""Other ways to write color into a scan, with the same network's color, and a stand-in for it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps

from archive_colorizer.color.resample import enlarge, shrink
from archive_colorizer.color.space import (
    FloatArray,
    Plane,
    compute_luma,
    compute_rgb,
    convert_rgb_to_lab,
)
from archive_colorizer.model.color_spaces import pack, unpack
from archive_colorizer.model.colorizer import Colorizer
from archive_colorizer.model.contract import (
    METADATA_KEY,
    InputContract,
    ModelContract,
    OutputContract,
)

Picture = npt.NDArray[np.uint8]
Way = Callable[[Path, Path, Colorizer], None]
"""Reads a source, colors it and writes a target; raises or writes nothing where it cannot."""


def with_opencv(source: Path, target: Path, colorizer: Colorizer) -> None:
    """IMREAD_COLOR, Lab with the network's color enlarged linearly, imwrite."""
    _opencv(source, target, colorizer, cv2.INTER_LINEAR)


def ddcolor_way(source: Path, target: Path, colorizer: Colorizer) -> None:
    """As the scripts of colorization networks do it: enlarged with nearest."""
    _opencv(source, target, colorizer, cv2.INTER_NEAREST)


def with_pillow(source: Path, target: Path, colorizer: Colorizer) -> None:
    """Open, convert to RGB, color, save."""
    with Image.open(source) as picture:
        rgb = np.asarray(picture.convert("RGB"))
    Image.fromarray(in_lab(rgb, colorizer, cv2.INTER_LINEAR)).save(target)


def with_pillow_and_care(source: Path, target: Path, colorizer: Colorizer) -> None:
    """The same, upright, 16 bits brought to 8, with what save() takes handed over."""
    with Image.open(source) as stored:
        options: dict[str, Any] = {"exif": _handed_over(stored)}
        for option in ("icc_profile", "xmp"):
            if stored.info.get(option):
                options[option] = stored.info[option]
        picture = ImageOps.exif_transpose(stored)
        if picture.mode.startswith("I;16"):
            picture = Image.fromarray((np.asarray(picture) // 257).astype(np.uint8))
        rgb = np.asarray(picture.convert("RGB"))
        clear = picture.has_transparency_data
        alpha = np.asarray(picture.convert("RGBA"))[..., 3] if clear else None
    colored = Image.fromarray(in_lab(rgb, colorizer, cv2.INTER_LINEAR))
    if alpha is not None:
        colored.putalpha(Image.fromarray(alpha))
    colored.save(target, **options)


def _handed_over(picture: Image.Image) -> bytes:
    """EXIF without what described the old pixels; a TIFF's XMP is a tag like others."""
    said, fresh = picture.getexif(), Image.Exif()
    for tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        if said.get_ifd(tag):
            fresh[tag] = dict(said.get_ifd(tag))
    if ExifTags.Base.XMLPacket in said:
        fresh[ExifTags.Base.XMLPacket] = said[ExifTags.Base.XMLPacket]
    return fresh.tobytes()


PEERS: Mapping[str, Way] = {
    "OpenCV": with_opencv,
    "Pillow": with_pillow,
    "Pillow, all handed over": with_pillow_and_care,
    "DDColor way": ddcolor_way,
}


def in_lab(rgb: Picture, colorizer: Colorizer, enlarging: int) -> Picture:
    """H x W x 3 uint8 with its own L and the network's a and b, in float Lab at full size."""
    height, width = rgb.shape[:2]
    lab = convert_rgb_to_lab(rgb.astype(np.float32) / np.float32(255))
    ab = predicted_ab(compute_luma(rgb), colorizer)
    wide = cv2.resize(ab, (width, height), interpolation=enlarging)
    wide_lab = np.dstack([lab[..., :1], wide]).astype(np.float32)
    colored = cv2.cvtColor(wide_lab, cv2.COLOR_Lab2RGB)
    return np.asarray(np.rint(np.clip(colored, 0, 1) * 255).astype(np.uint8))


def predicted_ab(luma: Plane, colorizer: Colorizer) -> FloatArray:
    """a and b of CIE Lab at the network's size, h x w x 2, for H x W luma."""
    given, made = colorizer.contract.input, colorizer.contract.output
    seen = shrink(luma, *given.compute_working_size(*luma.shape))
    mask = unpack(colorizer.infer(pack(seen, given)), seen, made)
    small = seen if seen.shape == mask.shape[:2] else enlarge(seen, *mask.shape[:2])
    return convert_rgb_to_lab(np.clip(compute_rgb(small, mask), 0, 1))[..., 1:]


def _opencv(source: Path, target: Path, colorizer: Colorizer, enlarging: int) -> None:
    bgr = cv2.imread(str(source), cv2.IMREAD_COLOR)
    if bgr is not None:
        colored = in_lab(np.ascontiguousarray(bgr[..., ::-1]), colorizer, enlarging)
        cv2.imwrite(str(target), colored[..., ::-1])


def stand_in(path: Path) -> Path:
    """A network of one layer: mild color that goes from warm lights to cool shadows."""
    from onnx import helper, numpy_helper

    contract = ModelContract(
        name="stand-in",
        family="benchmark",
        licence="Apache-2.0",
        input=InputContract(name="luma", space="luma", size=64, resize="short-side"),
        output=OutputContract(name="cbcr", space="cbcr", low=-0.5, high=0.5),
    )
    weights = {
        "kernel": np.array([-0.10, 0.08], dtype=np.float32).reshape(2, 1, 1, 1),
        "offset": np.array([0.04, -0.02], dtype=np.float32),
    }
    graph = helper.make_graph(
        [helper.make_node("Conv", ["luma", *weights], ["cbcr"])],
        "stand-in",
        [helper.make_tensor_value_info("luma", 1, ["n", 1, "h", "w"])],
        [helper.make_tensor_value_info("cbcr", 1, ["n", 2, "h", "w"])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: contract.to_json()})
    path.write_bytes(model.SerializeToString())
    return path
