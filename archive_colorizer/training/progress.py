"""What is told, measured and saved while a network is being trained."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archive_colorizer.errors import ModelError, UsageError
from archive_colorizer.training.checkpoint import NAME, save_checkpoint
from archive_colorizer.training.config import TrainingRecipe
from archive_colorizer.training.networks.network import space_of
from archive_colorizer.training.networks.spaces import Space
from archive_colorizer.training.state import Run
from archive_colorizer.training.tensorboard import Board
from archive_colorizer.training.validation import Figures, Floats, Validation

Report = Callable[[str], None]
BEST = "best.pt"
_REPORT_SECONDS = 30.0


class Ledger:
    """Progress lines, validation figures, sample sheets and checkpoints of one run."""

    def __init__(
        self,
        folder: Path,
        recipe: TrainingRecipe,
        validation: Validation | None,
        facts: dict[str, Any],
        report: Report,
        board: Board | None,
    ) -> None:
        if recipe.patience and validation is None:
            raise UsageError("patience needs photos to measure; give a larger validation_share")
        self.folder, self.recipe, self.validation = folder, recipe, validation
        self.facts, self.report, self.board = facts, report, board
        self._losses: list[Tensor] = []
        self._told = self._saved = time.monotonic()
        self._untold = 0
        measured = len(validation.luma) if validation else 0
        report(f"{facts['photos']} photos, {measured} for validation")
        if validation:
            report(f"truth {describe(validation.truth)}")
            report(f"grey  {describe(validation.grey)}")

    def note(self, run: Run, loss: Tensor, batch: int) -> None:
        """After every step of `batch` crops; `loss` stays on its device until it is told."""
        self._losses.append(loss)
        self._untold += batch
        now = time.monotonic()
        epoch_ends = run.crops // self.recipe.epoch > (run.crops - batch) // self.recipe.epoch
        save_is_due = now - self._saved >= 60.0 * self.recipe.checkpoint_minutes
        # Telling comes first: it stops a run whose loss is no number before it is saved.
        if epoch_ends or save_is_due or now - self._told >= _REPORT_SECONDS:
            self._tell(run, now)
        if epoch_ends:
            self._measure(run)
        if save_is_due:
            self.save(run)

    def gives_up(self, run: Run) -> bool:
        """Whether the last `patience` validations were no better than one before them."""
        since = len(run.history) - 1 - self._best(run)
        if not self.recipe.patience or since < self.recipe.patience:
            return False
        best = run.history[self._best(run)]
        self.report(f"no better for {since} validations; {BEST} is of {best['crops']} crops")
        return True

    def save(self, run: Run) -> None:
        """Write the checkpoint to go on from."""
        self._saved = time.monotonic()
        save_checkpoint(self._content(run), self.folder / NAME)
        if self.board:
            self.board.flush()

    def close(self, run: Run) -> None:
        """After the last step: measure and save once more."""
        if self._losses:
            self._tell(run, time.monotonic())
        if not run.history or run.history[-1]["crops"] != run.crops:
            self._measure(run)
        self.save(run)

    def _tell(self, run: Run, now: float) -> None:
        loss = float(torch.stack(self._losses).mean())
        if not math.isfinite(loss):
            raise ModelError(f"the loss is no number after {run.crops} crops; lower the rate")
        pace = self._untold / max(1e-9, now - self._told)
        self.report(
            f"{run.progress(self.recipe):6.1%}  {run.crops} crops  {pace:.1f} crops/s  "
            f"loss {loss:.5f}  rate {run.optimizer.param_groups[-1]['lr']:.2e}"
        )
        if self.board:
            rate = run.optimizer.param_groups[-1]["lr"]
            self.board.scalars({"loss": loss, "rate": rate, "crops a second": pace}, run.crops)
        self._losses.clear()
        self._told, self._untold = now, 0

    def _measure(self, run: Run) -> None:
        if self.validation is None:
            return
        predict = predictor(run.averaged, run.device, space_of(self.recipe.network))
        figures = self.validation.measure(predict)
        self.report(f"       {run.crops} crops: {describe(figures)}")
        entry = {"crops": run.crops, "minutes": round(run.seconds / 60.0, 2), **figures.as_dict()}
        run.history.append(entry)
        sheet = self.folder / f"sheet-{run.crops:08d}.png"
        self.validation.sheet(predict, sheet)
        if self.board:
            self.board.scalars(figures.as_dict(), run.crops)
            self.board.picture("sheet", sheet, run.crops)
        if self._best(run) == len(run.history) - 1:
            save_checkpoint(self._content(run), self.folder / BEST)

    def _best(self, run: Run) -> int:
        """The number of the best validation so far; the first of several as good."""
        if self.validation is None or not run.history:
            return 0
        weight = self.recipe.colorfulness_weight if self.recipe.best_by == "perceived" else 0.0
        scores = [self.validation.score(entry, weight) for entry in run.history]
        return scores.index(min(scores))

    def _content(self, run: Run) -> dict[str, Any]:
        measured: dict[str, Any] = {}
        if self.validation is not None:
            measured = {
                "photos": len(self.validation.luma),
                "size": self.validation.luma.shape[-1],
                "grey": self.validation.grey.as_dict(),
                "truth": self.validation.truth.as_dict(),
            }
        return {
            "network": self.recipe.network,
            "kwargs": dict(self.recipe.network_kwargs),
            **run.content(),
            "recipe": self.recipe.as_dict(),
            "facts": {**self.facts, "validation": measured},
        }


def predictor(network: nn.Module, device: torch.device, space: Space) -> Callable[[Floats], Floats]:
    """`network` as a function on arrays: luma N x 1 x H x W to CbCr N x 2 x H x W."""

    @torch.no_grad()
    def predict(luma: Floats) -> Floats:
        answer = network(torch.from_numpy(luma).to(device)).float()
        chroma: Floats = space.to_chroma(answer).cpu().numpy()
        return chroma

    return predict


def describe(figures: Figures) -> str:
    """Figures as one line for people."""
    return (
        f"CIEDE2000 {figures.ciede2000:.3f}  PSNR {figures.psnr:.2f} dB  "
        f"colorfulness {figures.colorfulness:.0%}  chroma {figures.chroma:.2f}  b* {figures.b:+.2f}"
    )
