"""What is told, measured and saved while a network is being trained."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archive_colorizer.errors import ModelError
from archive_colorizer.training.checkpoint import NAME, save_checkpoint
from archive_colorizer.training.measure import Figures, Floats, Validation
from archive_colorizer.training.network import space_of
from archive_colorizer.training.recipe import TrainingRecipe
from archive_colorizer.training.spaces import Space

Report = Callable[[str], None]
_REPORT_SECONDS = 30.0


@dataclass(slots=True)
class Run:
    """Everything that changes while training goes on, and so everything a checkpoint holds."""

    network: nn.Module
    averaged: nn.Module
    optimizer: torch.optim.Optimizer
    device: torch.device
    crops: int = 0
    steps: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)

    def progress(self, recipe: TrainingRecipe) -> float:
        """The share of the run that is done, 0 to 1: by the clock, or by crops."""
        if recipe.minutes:
            return min(1.0, self.seconds / (60.0 * recipe.minutes))
        return min(1.0, self.crops / recipe.crops)


class Ledger:
    """Progress lines, validation figures, sample sheets and checkpoints of one run."""

    def __init__(
        self,
        folder: Path,
        recipe: TrainingRecipe,
        validation: Validation | None,
        facts: dict[str, Any],
        report: Report,
    ) -> None:
        self.folder, self.recipe, self.validation = folder, recipe, validation
        self.facts, self.report = facts, report
        self._losses: list[Tensor] = []
        self._told = self._saved = time.monotonic()
        self._untold = 0

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
            self._save(run)

    def close(self, run: Run) -> None:
        """After the last step: measure and save once more."""
        if self._losses:
            self._tell(run, time.monotonic())
        if not run.history or run.history[-1]["crops"] != run.crops:
            self._measure(run)
        self._save(run)

    def _tell(self, run: Run, now: float) -> None:
        loss = float(torch.stack(self._losses).mean())
        if not math.isfinite(loss):
            raise ModelError(f"the loss is no number after {run.crops} crops; lower the rate")
        pace = self._untold / max(1e-9, now - self._told)
        self.report(
            f"{run.progress(self.recipe):6.1%}  {run.crops} crops  {pace:.1f} crops/s  "
            f"loss {loss:.5f}  rate {run.optimizer.param_groups[-1]['lr']:.2e}"
        )
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
        self.validation.sheet(predict, self.folder / f"sheet-{run.crops:08d}.png")

    def _save(self, run: Run) -> None:
        self._saved = time.monotonic()
        save_checkpoint(self._content(run), self.folder / NAME)

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
            "state": run.averaged.state_dict(),
            "weights": run.network.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "crops": run.crops,
            "steps": run.steps,
            "seconds": run.seconds,
            "history": run.history,
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
