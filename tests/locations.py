"""Where the project lies, and the material that only developers and CI have."""

from pathlib import Path

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY_ROOT.parent / "shared"
