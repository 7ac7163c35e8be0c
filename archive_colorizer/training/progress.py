"""Report, measure and save a network during training."""

import importlib.util
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor

from archive_colorizer.color.space import FloatArray
from archive_colorizer.errors import DependencyError, ModelError, UsageError
from archive_colorizer.training.checkpoint import CHECKPOINT_NAME, save_checkpoint
from archive_colorizer.training.config import TrainingRecipe
from archive_colorizer.training.networks.network import get_output_format
from archive_colorizer.training.state import TrainingState
from archive_colorizer.training.validation import ValidationFigures, ValidationSet

Report = Callable[[str], None]
BEST_NAME = "best.pt"
_REPORT_SECONDS = 30.0


class TensorBoardLog:
    """Log figures and pictures by the number of crops to `folder`.

    Raises DependencyError without the tensorboard package.  Nothing is written before the
    first figure, so that under torchrun only the main process has a log.
    """

    def __init__(self, folder: Path) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise DependencyError("--tensorboard: not installed; run: pip install tensorboard")
        self.folder = folder
        self._writer: Any = None

    def add_scalars(self, figures: Mapping[str, float], crops: int) -> None:
        for name, value in figures.items():
            self._get_writer(crops).add_scalar(name, value, crops)

    def add_picture(self, name: str, path: Path, crops: int) -> None:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is not None:
            self._get_writer(crops).add_image(
                name, picture[..., ::-1].copy(), crops, dataformats="HWC"
            )

    def flush(self) -> None:
        if self._writer is not None:
            self._writer.flush()

    def _get_writer(self, crops: int) -> Any:
        if self._writer is None:
            # The import takes a second, so it happens only when it is needed.
            from torch.utils.tensorboard import SummaryWriter

            # A resumed run hides what was logged after its checkpoint.
            self._writer = SummaryWriter(str(self.folder), purge_step=crops)
        return self._writer


class TrainingLog:
    """Write progress lines, validation figures, sample sheets and checkpoints of one run."""

    def __init__(
        self,
        folder: Path,
        recipe: TrainingRecipe,
        validation: ValidationSet | None,
        facts: dict[str, Any],
        report: Report,
        board: TensorBoardLog | None,
    ) -> None:
        if recipe.patience and validation is None:
            raise UsageError("patience needs photos to measure; give a larger validation_share")
        self.folder, self.recipe, self.validation = folder, recipe, validation
        self.facts, self.report, self.board = facts, report, board
        self._losses: list[Tensor] = []
        self._reported_at = self._saved_at = time.monotonic()
        self._crops_since_report = 0
        measured = len(validation.luma) if validation else 0
        report(f"{facts['photos']} photos, {measured} for validation")
        if validation:
            report(f"truth {_describe_figures(validation.truth)}")
            report(f"grey  {_describe_figures(validation.grey)}")

    def record_step(self, state: TrainingState, loss: Tensor, batch: int) -> None:
        """Record a step of `batch` crops; `loss` stays on its device until the next report."""
        self._losses.append(loss)
        self._crops_since_report += batch
        now = time.monotonic()
        epoch_ends = state.crops // self.recipe.epoch > (state.crops - batch) // self.recipe.epoch
        save_is_due = now - self._saved_at >= 60.0 * self.recipe.checkpoint_minutes
        # The report comes first: it stops a run whose loss is not finite before it is saved.
        if epoch_ends or save_is_due or now - self._reported_at >= _REPORT_SECONDS:
            self._report_progress(state, now)
        if epoch_ends:
            self.measure(state)
        if save_is_due:
            self.save(state)

    def should_stop_early(self, state: TrainingState) -> bool:
        """Check whether the last `patience` validations brought no improvement."""
        since = len(state.history) - 1 - self._find_best(state)
        if not self.recipe.patience or since < self.recipe.patience:
            return False
        best = state.history[self._find_best(state)]
        self.report(f"no better for {since} validations; {BEST_NAME} is of {best['crops']} crops")
        return True

    def save(self, state: TrainingState) -> None:
        """Write the checkpoint to resume from."""
        self._saved_at = time.monotonic()
        save_checkpoint(self._build_checkpoint(state), self.folder / CHECKPOINT_NAME)
        if self.board:
            self.board.flush()

    def close(self, state: TrainingState) -> None:
        """Measure and save after the last step."""
        if self._losses:
            self._report_progress(state, time.monotonic())
        if not state.history or state.history[-1]["crops"] != state.crops:
            self.measure(state)
        self.save(state)

    def _report_progress(self, state: TrainingState, now: float) -> None:
        loss = float(torch.stack(self._losses).mean())
        if not math.isfinite(loss):
            raise ModelError(f"the loss is not finite after {state.crops} crops; lower the rate")
        speed = self._crops_since_report / max(1e-9, now - self._reported_at)
        progress, rate = state.compute_progress(self.recipe), state.optimizer.param_groups[-1]["lr"]
        self.report(
            f"{progress:6.1%}  {state.crops} crops  {speed:.1f} crops/s  "
            f"loss {loss:.5f}  rate {rate:.2e}"
        )
        if self.board:
            scalars = {"loss": loss, "rate": rate, "crops a second": speed}
            self.board.add_scalars(scalars, state.crops)
        self._losses.clear()
        self._reported_at, self._crops_since_report = now, 0

    def measure(self, state: TrainingState) -> None:
        """Report figures of the averaged weights and add them to the run's history."""
        if self.validation is None:
            return
        output_format = get_output_format(self.recipe.network)

        @torch.no_grad()
        def predict(luma: FloatArray) -> FloatArray:
            output = state.averaged(torch.from_numpy(luma).to(state.device)).float()
            chroma: FloatArray = output_format.to_chroma(output).cpu().numpy()
            return chroma

        figures = self.validation.measure(predict)
        self.report(f"       {state.crops} crops: {_describe_figures(figures)}")
        entry = {
            "crops": state.crops,
            "minutes": round(state.seconds / 60.0, 2),
            **figures.as_dict(),
        }
        state.history.append(entry)
        sheet_path = self.folder / f"sheet-{state.crops:08d}.png"
        self.validation.write_sheet(predict, sheet_path)
        if self.board:
            self.board.add_scalars(figures.as_dict(), state.crops)
            self.board.add_picture("sheet", sheet_path, state.crops)
        if self._find_best(state) == len(state.history) - 1:
            save_checkpoint(self._build_checkpoint(state), self.folder / BEST_NAME)

    def _find_best(self, state: TrainingState) -> int:
        if self.validation is None or not state.history:
            return 0
        weight = self.recipe.colorfulness_weight if self.recipe.best_by == "perceived" else 0.0
        scores = [self.validation.score(entry, weight) for entry in state.history]
        return scores.index(min(scores))

    def _build_checkpoint(self, state: TrainingState) -> dict[str, Any]:
        baselines: dict[str, Any] = {}
        if self.validation is not None:
            baselines = {
                "photos": len(self.validation.luma),
                "size": self.validation.luma.shape[-1],
                "grey": self.validation.grey.as_dict(),
                "truth": self.validation.truth.as_dict(),
            }
        return {
            "network": self.recipe.network,
            "kwargs": dict(self.recipe.network_kwargs),
            **state.to_checkpoint(),
            "recipe": asdict(self.recipe),
            "facts": {**self.facts, "validation": baselines},
        }


def find_errors(checkpoint: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the CIEDE2000 of a checkpoint's last validation and of grey, if it was measured."""
    grey = checkpoint.get("facts", {}).get("validation", {}).get("grey")
    history = checkpoint.get("history")
    return (history[-1]["ciede2000"], grey["ciede2000"]) if grey and history else None


def describe_result(checkpoint: Mapping[str, Any]) -> str:
    """Say whether a run's last validation is better than grey and than what the run began with."""
    errors = find_errors(checkpoint)
    if errors is None:
        return "not measured: no photographs are set aside; give a larger validation_share"
    first, last = checkpoint["history"][0], checkpoint["history"][-1]
    text = (
        f"CIEDE2000 {errors[0]:.2f}: {_compare(errors[0], errors[1])} than grey ({errors[1]:.2f})"
    )
    if first["crops"] == 0 and last is not first:
        text += (
            f", {_compare(errors[0], first['ciede2000'])} than at the start "
            f"({first['ciede2000']:.2f}); colorfulness {last['colorfulness']:.0%}, "
            f"at the start {first['colorfulness']:.0%}"
        )
    return text


def _compare(error: float, other: float) -> str:
    share = 1.0 - error / max(other, 1e-9)
    return f"{abs(share):.1%} {'better' if share > 0 else 'worse'}"


def _describe_figures(figures: ValidationFigures) -> str:
    return (
        f"CIEDE2000 {figures.ciede2000:.3f}  PSNR {figures.psnr:.2f} dB  "
        f"colorfulness {figures.colorfulness:.0%}  chroma {figures.chroma:.2f}  b* {figures.b:+.2f}"
    )
