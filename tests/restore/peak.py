"""How much memory one photograph takes: `python -m tests.restore.peak SMALL LARGE MODEL OUTPUT`,
and `paranoid` after that where results are to be looked at.

Prints the peak while LARGE is restored, in bytes above what the process holds after SMALL.
"""

import sys
from pathlib import Path

from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, JobContext, Source, Stamp
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.restore.photo import restore_photo
from tests.model.networks import digest


def status(field: str) -> int:
    """Bytes that the kernel tells of this process."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def restore(photo: Path, model: Path, output: Path, recipe: Recipe) -> Outcome:
    """One photograph, as a worker does it."""
    work = output / ".work"
    work.mkdir(parents=True, exist_ok=True)
    place = JobContext(str(output), str(work), recipe, str(model), digest(model))
    source = Source(str(photo.parent), photo.name, Stamp.from_stat(photo.lstat()))
    made = restore_photo(Job("0" * 64, source, photo.name), place)
    assert made.state is State.DONE, made.message
    return made


def main(small: Path, large: Path, model: Path, output: Path, *words: Path) -> int:
    """Bytes."""
    recipe = Recipe(force=True, paranoid=bool(words))
    restore(small, model, output, recipe)
    held = status("VmRSS")
    # Reset the peak.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    restore(large, model, output, recipe)
    return status("VmHWM") - held


if __name__ == "__main__":
    sys.stdout.write(f"{main(*map(Path, sys.argv[1:]))}\n")
