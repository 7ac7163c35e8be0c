"""Profiles, judged by LittleCMS through Pillow."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from archive_colorizer.media.profile import for_rgb, rgb_from_grey
from tests.media.files import srgb_profile


def grey_profile(curve, version=0x02400000, space=b"XYZ "):
    """A minimal grey profile with the given tone curve."""
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"grey\0" + b"\0" * 78
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    tags = [(b"desc", name), (b"cprt", b"text\0\0\0\0none\0"), (b"wtpt", white), (b"kTRC", curve)]
    at, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for signature, content in tags:
        table += struct.pack(">4sII", signature, at + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    head = struct.pack(
        ">I4sI4s4s4s12s4s28s12s48s",
        at + len(body),
        b"",
        version,
        b"mntr",
        b"GRAY",
        space,
        struct.pack(">6H", 2020, 1, 1, 0, 0, 0),
        b"acsp",
        b"",
        white[8:],
        b"",
    )
    return head + table + body


def gamma(value):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def dot_gain():
    """A sampled curve with the belly of a printed half-tone."""
    ramp = np.linspace(0, 1, 256)
    table = np.rint(65535 * (ramp**1.75 * 0.9 + 0.1 * ramp)).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", 256) + table.tobytes()


def parametric(value):
    return b"para\0\0\0\0" + struct.pack(">HHi", 0, 0, round(value * 65536))


CURVES = {
    "gamma 2.2": (gamma(2.2), 0x02400000),
    "gamma 1.8": (gamma(1.8), 0x02400000),
    "dot gain": (dot_gain(), 0x02400000),
    "linear": (b"curv\0\0\0\0\0\0\0\0", 0x02400000),
    "parametric": (parametric(2.4), 0x04200000),
}


def shown(icc, image):
    """The ramp as sRGB."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    return np.asarray(
        ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            outputMode="RGB",
            flags=ImageCms.Flags.NOOPTIMIZE,
        )
    ).astype(int)


@pytest.mark.parametrize("kind", CURVES)
def test_a_grey_ramp_looks_the_same_through_both(kind):
    grey = grey_profile(*CURVES[kind])
    color, warning = for_rgb(grey, color=False)
    assert warning is None
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None, :])
    before, after = shown(grey, ramp), shown(color, ramp.convert("RGB"))
    assert np.abs(before - after).max() <= 1
    assert np.ptp(after, axis=2).max() <= 1, "neutral"


def test_the_ramps_of_different_curves_differ():
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None, :]).convert("RGB")
    dark, light = (shown(rgb_from_grey(grey_profile(gamma(g))), ramp) for g in (2.2, 1.8))
    assert np.abs(dark - light).max() > 10


@pytest.mark.parametrize("color", [True, False])
def test_an_rgb_profile_stays_as_it_is(color):
    assert for_rgb(srgb_profile(), color) == (srgb_profile(), None)


@pytest.mark.parametrize(
    ("icc", "color", "words"),
    [
        (grey_profile(gamma(2.2)), True, "does not fit"),
        (grey_profile(gamma(2.2))[:60], False, "damaged"),
        (grey_profile(gamma(2.2)).replace(b"acsp", b"acsq"), False, "damaged"),
        (grey_profile(gamma(2.2)).replace(b"kTRC", b"kXXX"), False, "rare kind"),
        (grey_profile(gamma(2.2), space=b"Lab "), False, "rare kind"),
        (b"\0" * 10_000, True, "damaged"),
        (srgb_profile()[:300], True, "damaged"),
    ],
)
def test_what_cannot_be_used_is_dropped_with_a_sentence(icc, color, words):
    kept, warning = for_rgb(icc, color)
    assert kept is None and words in warning
