"""The encoders by name: those of `PLANS`, and timm's."""

from archive_colorizer.errors import UsageError
from archive_colorizer.training.networks.encoder import PLANS, Encoder, InvertedEncoder
from archive_colorizer.training.networks.timm_encoder import TimmEncoder


def build_encoder(name: str) -> Encoder:
    """An encoder with random weights: one of `PLANS`, or timm:NAME.  Raises UsageError."""
    if name.startswith("timm:"):
        return TimmEncoder(name.removeprefix("timm:"))
    if name not in PLANS:
        known = ", ".join(sorted(PLANS))
        raise UsageError(f"encoder {name!r} is unknown; known are {known} and timm:NAME")
    return InvertedEncoder(name)


def names_encoder(weights: str) -> bool:
    """Whether `weights` is an encoder's name, not "auto", "none" or a file."""
    return weights in PLANS or weights.startswith("timm:")
