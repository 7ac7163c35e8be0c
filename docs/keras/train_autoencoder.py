"""The baseline network in Keras 3: train it on photographs, export it, run it like any other.

pip install 'archive-colorizer[train]' keras
python docs/keras/train_autoencoder.py photos/ keras.onnx --epochs 20
archive-colorize run scans/ --output colored/ --model keras.onnx
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# The backend has to be chosen before Keras is imported; torch exports without tf2onnx.
os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import onnx

from archive_colorizer.color.space import compute_rgb
from archive_colorizer.model.contract import (
    METADATA_KEY,
    InputContract,
    ModelContract,
    OutputContract,
)
from archive_colorizer.training.config import TrainingRecipe
from archive_colorizer.training.data.crops import CropSampler, read_photos

# The pipeline's tensors are N x C x H x W.
keras.config.set_image_data_format("channels_first")


def build_autoencoder(size: int, widths: Sequence[int], repeats: Sequence[int]) -> Any:
    """VGG16's blocks down and up again, no skips: luma in [0, 1], 1 x size x size, to RGB."""
    luma = keras.Input((1, size, size), name="luma")
    x = keras.layers.Rescaling(2.0, -1.0)(luma)
    steps = list(zip(widths, repeats, strict=True))
    for width, count in steps:
        for _ in range(count):
            x = convolve(x, width)
        x = keras.layers.MaxPooling2D()(x)
    for width, count in steps[::-1]:
        x = keras.layers.UpSampling2D()(x)
        for _ in range(count):
            x = convolve(x, width)
    rgb = keras.layers.Conv2D(3, 3, padding="same", activation="sigmoid", name="rgb")(x)
    return keras.Model(luma, rgb)


def convolve(x: Any, width: int) -> Any:
    """Convolution over 3 x 3 pixels, batch norm, ReLU."""
    x = keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
    return keras.layers.ReLU()(keras.layers.BatchNormalization(axis=1)(x))


class Pairs(keras.utils.PyDataset):  # type: ignore[misc, unused-ignore]
    """Batches of (luma, RGB) as `archive-colorize train` draws them, aged alike."""

    def __init__(self, crops: CropSampler, size: int, batch: int, steps: int) -> None:
        super().__init__()
        self.crops, self.size, self.batch, self.steps = crops, size, batch, steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, number: int) -> tuple[Any, Any]:
        drawn = self.crops.make_batch(number * self.batch, self.batch, self.size)
        pictures = [
            compute_rgb(luma[0], np.ascontiguousarray(chroma.transpose(1, 2, 0)))
            for luma, chroma in zip(drawn.luma, drawn.chroma, strict=True)
        ]
        return drawn.aged, np.clip(np.stack(pictures), 0.0, 1.0).transpose(0, 3, 1, 2)


def export(model: Any, size: int, target: Path) -> None:
    """Write `model` as one ONNX file that says in its contract how it is to be run.

    Keras' exporter fixes the shapes, so the contract asks for a square of just that size, one
    picture at a time.  Whatever made an ONNX file: fill in a contract like this one, with the
    file's own names of input and output, and store its JSON as the metadata value
    `METADATA_KEY`; then it runs.
    """
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.onnx"
        signature = [keras.InputSpec(shape=(1, 1, size, size), dtype="float32", name="luma")]
        model.export(draft, format="onnx", verbose=False, input_signature=signature)
        made = onnx.load(draft)  # with the weights, where they lie in a file of their own
    contract = ModelContract(
        name=target.stem,
        family="keras-autoencoder",
        licence="Apache-2.0",
        input=InputContract(
            name=made.graph.input[0].name, space="luma", size=size, resize="square"
        ),
        output=OutputContract(name=made.graph.output[0].name, space="rgb", low=0.0, high=1.0),
        max_batch=1,
        training={"keras": keras.version()},
    )
    onnx.helper.set_model_props(made, {METADATA_KEY: contract.to_json()})
    onnx.save(made, target)


def main() -> None:
    """Train on folders and tars, and write the model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("photos", type=Path, help="folder or tar of color photographs")
    parser.add_argument("output", type=Path, help="the ONNX file to write")
    parser.add_argument("--size", type=int, default=128, help="a multiple of 32")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=500, help="batches in an epoch")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64, 128, 128])
    parser.add_argument("--repeats", type=int, nargs="+", default=[2, 2, 3, 3, 3])
    given = parser.parse_args()
    crops = CropSampler(read_photos([given.photos]), TrainingRecipe())
    model = build_autoencoder(given.size, given.widths, given.repeats)
    model.compile(optimizer=keras.optimizers.AdamW(given.rate), loss="mean_squared_error")
    model.fit(Pairs(crops, given.size, given.batch, given.steps), epochs=given.epochs, verbose=2)
    export(model, given.size, given.output)


if __name__ == "__main__":
    main()
