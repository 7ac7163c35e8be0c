"""Make short films for tests: pans over a photograph, as video files and as sequences."""

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.data import astronaut

from archive_colorizer.video.sequence.dpx import write_dpx

av = pytest.importorskip("av", reason="needs the extra 'film'")

HEIGHT, WIDTH = 48, 64
FILM = Fraction(24000, 1001)
PHOTO = astronaut()


def compute_luma(at, depth=8):
    """Compute the luma (H x W) of frame `at` of a pan, limited to the broadcast range."""
    gray = PHOTO[100 : 100 + HEIGHT, 60 + 3 * at : 60 + 3 * at + WIDTH].mean(axis=2)
    codes = 16 + gray * (219 / 255)
    return np.rint(codes * (1 << (depth - 8))).astype(np.uint8 if depth == 8 else np.uint16)


def build_frame(at, pixels, color=False):
    """Build an av.VideoFrame of planar `pixels` with exactly that luma."""
    frame = av.VideoFrame(WIDTH, HEIGHT, pixels)
    depth = frame.format.components[0].bits
    codes = compute_luma(at, depth)
    for position, plane in enumerate(frame.planes):
        rows = np.frombuffer(plane, codes.dtype).reshape(plane.height, -1)
        rows[:] = (1 << (depth - 1)) * (1.4 if color and position == 2 else 1)
        if position == 0:
            rows[:, :WIDTH] = codes
    return frame


def write_video(path, codec="ffv1", pixels="yuv420p", count=24, rate=FILM, times=None, **more):
    """Write a clip; `times` in milliseconds make it one of variable rate.

    more: color, aspect, rotation, tags (matrix), sound, subtitles, chapters, options, b_frames.
    """
    with av.open(str(path), "w") as target:
        stream = target.add_stream(codec, rate=rate, options=more.get("options", {}))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        context = stream.codec_context
        if times:
            context.time_base = Fraction(1, 1000)
        context.sample_aspect_ratio = more.get("aspect", Fraction(1))
        context.max_b_frames = more.get("b_frames", 0)
        if "tags" in more:
            context.colorspace, context.color_range = more["tags"]
        if "rotation" in more:
            stream.set_display_rotation(-more["rotation"])
        if more.get("timecode"):
            stream.metadata["timecode"] = more["timecode"]
        other_streams = _add_other_streams(target, more)
        for at in range(count):
            frame = build_frame(at, pixels, more.get("color", False))
            frame.pts = times[at] if times else at
            frame.time_base = Fraction(1, 1000) if times else 1 / rate
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
        _write_other_streams(target, other_streams)
    return path


def _add_other_streams(target, more):
    sound = target.add_stream(more["sound"], rate=48000, layout="mono") if "sound" in more else None
    words = None
    if "subtitles" in more:
        words = target.add_mux_stream(more["subtitles"], time_base=Fraction(1, 1000))
        words.metadata["language"] = "deu"
    if "chapters" in more:
        target.set_chapters(
            [
                {"id": at + 1, "start": at * 500, "end": at * 500 + 500,
                 "time_base": Fraction(1, 1000), "metadata": {"title": title}}
                for at, title in enumerate(more["chapters"])
            ]
        )  # fmt: skip
    target.metadata.update(more.get("metadata", {}))
    return sound, words


def _write_other_streams(target, other_streams):
    sound, words = other_streams
    if sound is not None:
        wave = (np.sin(np.arange(48000) * 0.05) * 8000).astype(np.int16)[None]
        heard = av.AudioFrame.from_ndarray(wave, "s16", "mono")
        heard.sample_rate, heard.pts = 48000, 0
        resampler = av.AudioResampler(sound.codec_context.format.name, "mono", 48000, 1024)
        for part in (*resampler.resample(heard), *resampler.resample(None)):
            target.mux(sound.encode(part))
        target.mux(sound.encode(None))
    if words is not None:
        packet = av.Packet(b"Hello")
        packet.stream, packet.time_base = words, Fraction(1, 1000)
        packet.pts = packet.dts = 100
        packet.duration = 300
        target.mux(packet)


def write_sound(path):
    with av.open(str(path), "w") as target:
        sound = target.add_stream("pcm_s16le", rate=48000, layout="mono")
        _write_other_streams(target, (sound, None))
    return path


def encode_dpx(gray, depth, order=">"):
    header = bytearray(2048)
    header[:4] = b"SDPX" if order == ">" else b"XPDS"
    struct.pack_into(f"{order}2I", header, 772, gray.shape[1], gray.shape[0])
    header[801] = 3
    header[1920:1924] = b"\x01\x02\x03\x04"
    return write_dpx(np.repeat(gray[..., None], 3, axis=2), depth, bytes(header), "a scanner")


def write_still(path, at, kind):
    """Write frame `at` as a grey picture, and return the luma that a reader must find."""
    depth = {"png16": 16, "tiff16": 16, "dpx10": 10, "dpx12": 12}.get(kind, 8)
    gray = compute_luma(at, depth)
    if kind.startswith("dpx"):
        path.write_bytes(encode_dpx(gray, depth, "<" if kind == "dpx12" else ">"))
    elif kind.startswith("tiff"):
        tifffile.imwrite(path, gray)
    elif kind == "jpeg":
        Image.fromarray(gray).save(path, quality=95)
    else:
        Image.fromarray(gray).save(path)
    return gray


def write_sequence(folder: Path, kind, count=8, name="f.{}.{}", first=8):
    folder.mkdir()
    extension = {"jpeg": "jpg", "png": "png", "tiff": "tif", "dpx1": "dpx"}
    ending = next(suffix for start, suffix in extension.items() if kind.startswith(start))
    for at in range(count):
        write_still(folder / name.format(first + at, ending), at, kind)
    return folder
