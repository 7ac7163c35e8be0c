"""A film's run that kills itself at a given moment: `python -m tests.killed_film WHEN ORDER...`"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from archive_colorizer import film_pipeline
from archive_colorizer.film_order import FilmOrder, place_film_order
from archive_colorizer.media import deliver, frame_folder
from archive_colorizer.recipe import FilmRecipe, Recipe
from archive_colorizer.restore import film_join, film_task, film_writer


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
        film_writer.bring_folder = after(frame_folder.bring_folder, 2)
    elif when == "after a part":
        film_writer.deliver_file = after(deliver.deliver_file, 2)
        film_writer.deliver = after(deliver.deliver, 2)
    elif when == "in the join":
        film_join.join_segments = after(film_join.join_segments)
        film_join.gather_frames = after(frame_folder.gather_frames)
    elif when == "before the final list":
        film_writer.bring_folder = after(frame_folder.bring_folder, 3)
    elif when == "after the join":
        film_join.deliver_file = after(deliver.deliver_file)
        film_writer.deliver = after(deliver.deliver, 3)
    elif when == "before the parts are removed":
        film_pipeline.retired = die  # type: ignore[assignment]


def order_of(film: Path, output: Path, model: Path, **settings: Any) -> FilmOrder:
    order = FilmOrder(
        films=(film,),
        output=Path(),
        recipe=Recipe(model=str(model), executor="serial", device="cpu"),
        film=FilmRecipe(**{"shortest": 4, "smoothing": 0.5, **settings}),
    )
    return place_film_order(order, output)


if __name__ == "__main__":
    arm(sys.argv[1])
    film_pipeline.restore_films(order_of(*map(Path, sys.argv[2:5])))
