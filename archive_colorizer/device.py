"""Devices: the words for where a network runs, and what NVIDIA's driver shows of this machine.

Standard library only: settings, runs and models ask here.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from archive_colorizer.errors import UsageError

Kind: TypeAlias = Literal["auto", "cpu", "cuda", "tensorrt"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

PATTERN: Final = r"^(auto|cpu|(cuda|tensorrt)(:[0-9]{1,3})?)$"
"""What `parse_device` takes, as a regular expression."""

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
"""Of the environment: the cards that a process sees, by number or UUID."""

_DRIVER: Final = ("/dev/nvidiactl", "/usr/lib/wsl/lib/libcuda.so.1")
"""One of them is there where NVIDIA's driver is: on Linux, and inside WSL."""
_SECONDS: Final = 20.0
"""That nvidia-smi gets: the first call wakes up the driver."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where a network is to run; `index` counts the visible cards from 0, None takes any."""

    kind: Kind
    index: int | None = None

    @property
    def number(self) -> int:
        """The card's, as libraries want it."""
        return self.index or 0

    def __str__(self) -> str:
        return self.kind if self.index is None else f"{self.kind}:{self.index}"


def parse_device(text: str) -> Device:
    """The device that is meant by `auto`, `cpu`, `cuda`, `cuda:1`, `tensorrt`; else UsageError."""
    if not re.fullmatch(PATTERN, text):
        raise UsageError(f"device must be one of {', '.join(KINDS)}, or cuda:1, not {text!r}")
    word, _, index = text.partition(":")
    (kind,) = (one for one in KINDS if one == word)
    return Device(kind, int(index) if index else None)


def has_driver() -> bool:
    """Whether NVIDIA's driver is loaded on this machine."""
    return os.name == "nt" or any(Path(one).exists() for one in _DRIVER)


def visible_cards() -> tuple[str, ...]:
    """The cards that this process may use, each as a word for `CUDA_VISIBLE_DEVICES`."""
    chosen = os.environ.get(VISIBLE)
    if chosen is not None:
        return _before_the_first_unfit(chosen.split(","))
    told = ask_driver("uuid")
    if told:
        return told
    nodes = (one.name.removeprefix("nvidia") for one in Path("/dev").glob("nvidia[0-9]*"))
    return tuple(sorted((one for one in nodes if one.isdecimal()), key=int))


def ask_driver(fields: str) -> tuple[str, ...]:
    """What nvidia-smi says of each card (of its --query-gpu fields); empty where it is missing."""
    program = shutil.which("nvidia-smi") or shutil.which("nvidia-smi", path="/usr/lib/wsl/lib")
    if program is None:
        return ()
    words = [program, f"--query-gpu={fields}", "--format=csv,noheader"]
    try:
        made = subprocess.run(  # noqa: S603 (the driver's own program, and fixed words)
            words, capture_output=True, text=True, timeout=_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in made.stdout.splitlines() if line.strip())


def _before_the_first_unfit(words: Sequence[str]) -> tuple[str, ...]:
    """As CUDA reads its variable: what follows an entry that is no card is not seen."""
    cards: list[str] = []
    for word in (one.strip() for one in words):
        if not word or word.startswith("-") or word in cards:
            break
        cards.append(word)
    return tuple(cards)
