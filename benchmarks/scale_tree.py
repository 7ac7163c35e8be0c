"""Trees of very many small files: hard links of a few small pictures."""

import os
from pathlib import Path

import cv2
from skimage import data

PICTURES = ("camera", "coins", "moon", "page", "text", "brick", "grass", "gravel")
FOLDERS = 500
SIZE = (64, 48)


def lay_out(folder: Path, files: int) -> Path:
    """A root with so many names in up to 500 folders; each picture has many of them."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    for name in PICTURES:
        grey = getattr(data, name)()
        grey = grey if grey.ndim == 2 else cv2.cvtColor(grey, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, SIZE, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(pictures / f"{name}.jpg"), small)
    scans = folder / "scans"
    folders = min(FOLDERS, max(1, files // 20))
    for number in range(folders):
        (scans / f"box-{number:03}").mkdir(parents=True)
    for number in range(files):
        source = pictures / f"{PICTURES[number % len(PICTURES)]}.jpg"
        os.link(source, scans / f"box-{number % folders:03}" / f"scan-{number:06}.jpg")
    return scans
