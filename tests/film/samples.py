"""Small grey films of two shots from real photographs, as a video and as numbered frames."""

import os
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archive_colorizer.color.space import compute_luma
from tests.photographs import photograph

HEIGHT, WIDTH, RATE = 48, 64, 12
CUT, FRAMES = 14, 30


def lumas(count: int = FRAMES, cut: int = CUT) -> list[np.ndarray]:
    """A slow pan over one photograph, then over another."""
    first, second = compute_luma(photograph("chelsea")), compute_luma(photograph("rocket"))
    found = []
    for at in range(count):
        whole, offset = (first, at) if at < cut else (second, 100 + at - cut)
        found.append(np.ascontiguousarray(whole[40 : 40 + 2 * HEIGHT, offset : offset + 2 * WIDTH]))
    return [luma[::2, ::2].copy() for luma in found]


def video(path: Path, codec: str = "ffv1", count: int = FRAMES, sound: bool = False) -> Path:
    """The film as a video in limited range; MKV takes any codec."""
    av = pytest.importorskip("av", reason="film needs PyAV")
    with av.open(str(path), "w") as container:
        # With a checksum for each slice, so that damage is found.
        options = {"level": "3", "slicecrc": "1", "g": "1"} if codec == "ffv1" else {}
        stream = container.add_stream(codec, rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        voice = container.add_stream("pcm_s16le", rate=8000) if sound else None
        if voice is not None:
            voice.layout = "mono"
        for at, luma in enumerate(lumas(count)):
            limited = (16 + luma.astype(np.float32) * 219 / 255).round().astype(np.uint8)
            neutral = np.full((HEIGHT // 2, WIDTH), 128, np.uint8)
            frame = av.VideoFrame.from_ndarray(np.concatenate((limited, neutral)), format="yuv420p")
            frame.pts, frame.time_base = at, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if voice is not None:
            tone = np.sin(np.arange(8000 * count // RATE) / 5) * 9000
            heard = av.AudioFrame.from_ndarray(tone[None].astype(np.int16), "s16", "mono")
            heard.sample_rate, heard.pts, heard.time_base = 8000, 0, Fraction(1, 8000)
            container.mux(voice.encode(heard))
            container.mux(voice.encode(None))
    return path


def sequence(folder: Path, count: int = FRAMES) -> Path:
    """The film as PNGs, numbered from 7."""
    folder.mkdir(parents=True)
    for number, luma in enumerate(lumas(count), 7):
        Image.fromarray(luma).save(folder / f"f_{number:04}.png")
    return folder


def decoded(path: Path) -> list[tuple[int, bytes]]:
    """Time and planes of every frame of a video."""
    av = pytest.importorskip("av", reason="film needs PyAV")
    with av.open(str(path)) as container:
        return [(frame.pts, frame.to_ndarray().tobytes()) for frame in container.decode(video=0)]


def pixels(folder: Path) -> dict[str, bytes]:
    """The decoded pixels of every frame of a sequence, by name."""
    return {
        one.name: np.asarray(Image.open(one)).tobytes()
        for one in sorted(folder.iterdir())
        if one.suffix == ".png"
    }


def checked(folder: Path, listed: str) -> bool:
    """Whether sha256sum finds everything on a list."""
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", listed], cwd=folder, capture_output=True, env=os.environ
    )
    return done.returncode == 0
