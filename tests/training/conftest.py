"""A small tar and a folder of real photographs, and a recipe that takes a second."""

import io
import tarfile
from dataclasses import fields

import numpy as np
import pytest
import simplejpeg

from tests.photographs import NAMES, photograph


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Tiny networks gain nothing from threads, and lose much when cores are shared."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)


def jpeg_of(picture, quality=90):
    return simplejpeg.encode_jpeg(np.ascontiguousarray(picture), quality=quality)


def write_tar(path, members):
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture(scope="session")
def tar(tmp_path_factory):
    """Twelve crops of 128 x 160 of four photographs, under names that are no series."""
    members = {}
    for name in NAMES:
        for index, top in enumerate((0, 60, 120)):
            crop = photograph(name)[top : top + 128, 100:260]
            members[f"free/{name}/{'abc'[index]}{name}.jpg"] = jpeg_of(crop)
    return write_tar(tmp_path_factory.mktemp("photos") / "free.tar", members)


@pytest.fixture(scope="session")
def photos(tar):
    from archive_colorizer.training.data.crops import read_photos

    return read_photos([tar])


@pytest.fixture(scope="session")
def tiny():
    """A recipe of three steps."""
    from archive_colorizer.training.config import Phase, TrainingRecipe

    return TrainingRecipe(
        network="unet",
        network_kwargs={"widths": [4, 8, 8, 8, 8]},
        crops=12,
        phases=(Phase(share=0.5, size=32, batch=4), Phase(share=0.5, size=64, batch=2)),
        epoch=8,
        validation_share=0.2,
        validation_photos=3,
    )


def without_aging():
    """Aging whose every share is 0, so that no crop is changed."""
    from archive_colorizer.training.config import Aging

    return Aging(**{f.name: 0.0 for f in fields(Aging) if f.name.endswith("share")})
