"""Findings: what a check of an output says."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is wrong; the first three are BagIt's words."""

    MISSING = "FileMissing"
    CHANGED = "ChecksumMismatch"
    UNEXPECTED = "UnexpectedFile"
    SOURCE_MISSING = "SourceMissing"
    SOURCE_CHANGED = "SourceChanged"
    LUMA = "LumaMismatch"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with one file; `path` is below the output, or a source's name."""

    kind: Kind
    path: str
    message: str
