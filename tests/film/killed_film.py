"""A run over a film that kills itself at a given moment, as a module of its own process."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2

from archive_colorizer.film import join as film_join
from archive_colorizer.film import pipeline as film_pipeline
from archive_colorizer.film import scene_cuts as cuts
from archive_colorizer.film import segments as film_writer
from archive_colorizer.film import tasks as film_task
from archive_colorizer.film.request import FilmRequest
from archive_colorizer.output import deliver
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe
from archive_colorizer.video import muxer as join
from archive_colorizer.video.sequence import folder as frame_folder
from tests.locations import REPOSITORY_ROOT


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after(function: Callable[..., Any], times: int = 1) -> Callable[..., Any]:
    """The function, and then death, at its `times`th call."""
    calls = 0

    def call(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        made = function(*given, **named)
        if calls == times:
            die()
        return made

    return call


def stopped(function: Callable[..., Iterator[Any]], count: int) -> Callable[..., Iterator[Any]]:
    """The generator, and death after `count` of what it gives."""

    def generate(*given: Any) -> Iterator[Any]:
        for at, one in enumerate(function(*given)):
            if at == count:
                die()
            yield one

    return generate


class Deadly:
    """OpenCV with another cvtColor."""

    def __init__(self, color: Callable[..., Any]) -> None:
        self.cvtColor = color

    def __getattr__(self, name: str) -> Any:
        return getattr(cv2, name)


def arm(when: str) -> None:
    """Prepare the death."""
    if when == "before the list":
        film_task.deliver = die  # type: ignore[assignment]
    elif when == "after the list":
        film_task.deliver = after(deliver.deliver)
    elif when == "in a part":
        film_writer.write_segment = after(film_writer.write_segment, 2)
        film_writer.write_frames = after(film_writer.write_frames, 2)
    elif when == "between a folder and its list":
        film_writer.deliver_folder = after(frame_folder.deliver_folder, 2)
    elif when == "after a part":
        film_writer.deliver = after(deliver.deliver, 2)
    elif when == "in the join":
        film_join.join_segments = after(film_join.join_segments)
        film_join.gather_frames = after(frame_folder.gather_frames)
    elif when == "in the search for cuts":
        cuts.cv2 = Deadly(after(cv2.cvtColor, 9))  # type: ignore[assignment]
    elif when == "within the join":
        segments = join.ScannedSegments
        segments.read_packets = stopped(segments.read_packets, 10)  # type: ignore[method-assign]
        frame_folder._link = after(frame_folder._link, 10)
    elif when == "before the final list":
        film_writer.deliver_folder = after(frame_folder.deliver_folder, 3)
    elif when == "after the join":
        film_join.deliver = after(deliver.deliver)
        film_writer.deliver = after(deliver.deliver, 3)
    elif when == "before the parts are removed":
        film_pipeline.FilmPlan.remove_segments = die  # type: ignore[assignment]


def order_of(film: Path, output: Path, model: Path, **settings: Any) -> FilmRequest:
    order = FilmRequest(
        roots=(film,),
        output=Path(),
        recipe=Recipe(model=str(model), executor="serial", device="cpu"),
        film=FilmRecipe(**{"shortest": 4, "smoothing": 0.5, **settings}),
    )
    return order.validate(output)


def run_and_die(when: str, film: Path, out: Path, model: Path) -> None:
    """Run `restore_films` in a process that kills itself."""
    command = [
        sys.executable,
        "-m",
        "tests.film.killed_film",
        when,
        str(film),
        str(out),
        str(model),
    ]
    died = subprocess.run(command, cwd=REPOSITORY_ROOT, capture_output=True, text=True, timeout=400)
    assert died.returncode == -9, died.stderr


if __name__ == "__main__":
    arm(sys.argv[1])
    film_pipeline.restore_films(order_of(*map(Path, sys.argv[2:5])))
