"""What is left of a scan when color was added: ours beside other ways, on the same files.

Run `python -m benchmarks.fidelity [--data DIR] [--files 60] [--json FILE] [--model MODEL]`.
Without --data it makes its own files (see fidelity_files.py).  All ways use the same network.
Nothing is timed.  See docs/fidelity.md.
"""

import argparse
import json
import shutil
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2

from archive_colorizer.errors import ModelError
from archive_colorizer.model.colorizer import Colorizer, open_colorizer
from archive_colorizer.model.registry import find_model
from archive_colorizer.pipeline.photos import restore_archive
from archive_colorizer.pipeline.request import validate_request
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.outcomes import Outcome
from benchmarks.fidelity_files import make_files
from benchmarks.fidelity_judge import UNREADABLE, Shown, Verdict, judge, look
from benchmarks.fidelity_peers import PEERS, Way, stand_in

OURS = "archive-colorizer"
KEPT = ("depth", "icc", "exif", "xmp", "upright", "alpha", "pages")
HEAD = (
    "way", "files done", "luma kept", "JPEG: luma error", "8 bit: luma error", "16 bit: luma error",
    "bit depth", "ICC", "EXIF", "XMP", "upright", "alpha", "pages said",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Made:
    """A result, if there is one, and what was said about it."""

    path: Path | None
    said: str = ""


def restore_ours(scans: Path, output: Path, model: Path) -> dict[str, Made]:
    """The real run over a folder; by the names of the sources."""
    outcomes: list[Outcome] = []
    recipe = Recipe(model=str(model), executor="serial", workers=1, device="cpu", force=True)
    request = validate_request([scans], output, recipe)
    restore_archive(request, lambda one, _: outcomes.append(one))
    return {
        one.name: Made(output / one.target if one.target else None, " ".join(one.warnings))
        for one in outcomes
    }


def restore_theirs(way: Way, scans: Path, output: Path, colorizer: Colorizer) -> dict[str, Made]:
    """The same folder, the other way; what Python's warnings say counts as said."""
    output.mkdir()
    made = {}
    for source in sorted(scans.iterdir()):
        target = output / source.name
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                way(source, target, colorizer)
            except (*UNREADABLE, cv2.error):
                target.unlink(missing_ok=True)
        words = " ".join(str(one.message) for one in said)
        made[source.name] = Made(target if target.exists() else None, words)
    return made


def compare(scans: Path, work: Path, model: Path) -> dict[str, list[Verdict]]:
    """A verdict for each way and each file of `scans`."""
    colorizer = open_colorizer(model, device="cpu")
    results = {OURS: restore_ours(scans, work / "ours", model)}
    for at, (name, way) in enumerate(PEERS.items()):
        results[name] = restore_theirs(way, scans, work / f"peer-{at}", colorizer)
    sources = {path.name: look(path) for path in sorted(scans.iterdir())}
    return {
        way: [judge(name, source, *_seen(made.get(name))) for name, source in sources.items()]
        for way, made in results.items()
    }


def _seen(made: Made | None) -> tuple[Shown | None, str]:
    if made is None or made.path is None:
        return None, ""
    try:
        return look(made.path), made.said
    except UNREADABLE:
        return None, made.said


def table(verdicts: Mapping[str, Sequence[Verdict]]) -> list[tuple[str, ...]]:
    """One row a way, as HEAD names the columns."""
    return [(way, *_row(found)) for way, found in verdicts.items()]


def _row(found: Sequence[Verdict]) -> Iterable[str]:
    yield f"{sum(one.done for one in found)} of {len(found)}"
    yield f"{sum(luma_kept(one) for one in found)} of {len(found)}"
    yield _luma([one for one in found if one.jpeg])
    yield _luma([one for one in found if not one.jpeg and one.bits == 8])
    yield _luma([one for one in found if one.bits == 16])
    for name in KEPT:
        answers = [getattr(one, name) for one in found]
        asked = [one for one in answers if one is not None]
        yield f"{sum(asked)} of {len(asked)}" if asked else "-"


def luma_kept(one: Verdict) -> bool:
    """Within 1 code value at the source's depth; of a JPEG, which is encoded again, within 2."""
    return one.luma_max is not None and one.luma_max <= (2 if one.jpeg else 1)


def _luma(found: Sequence[Verdict]) -> str:
    measured = [one for one in found if one.luma_mean is not None]
    if not measured:
        return "-"
    mean = sum(one.luma_mean or 0.0 for one in measured) / len(measured)
    return f"{mean:.3g}, {max(one.luma_max or 0.0 for one in measured):.0f}"


def chosen_model(name: str, work: Path) -> Path:
    """The model of that name, or a stand-in where there is none."""
    try:
        return find_model(name)
    except ModelError:
        if name != "default":
            raise
        return stand_in(work / "stand-in.onnx")


def gather(data: Path, scans: Path, count: int) -> list[Path]:
    """Copy the first files of a folder that can be judged."""
    scans.mkdir(parents=True)
    taken: list[Path] = []
    for path in sorted(one for one in data.rglob("*") if one.is_file()):
        if len(taken) == count:
            break
        try:
            look(path)
        except UNREADABLE:
            continue
        taken.append(scans / f"{len(taken):03d}-{path.name}")
        shutil.copyfile(path, taken[-1])
    if not taken:
        raise SystemExit(f"{data}: no picture there that can be judged")
    return taken


def measure(data: Path | None, files: int, model: str) -> dict[str, list[Verdict]]:
    """Make or gather the files, color them every way, and judge."""
    with TemporaryDirectory(prefix="fidelity-") as folder:
        work = Path(folder)
        scans = work / "scans"
        _ = make_files(scans, files) if data is None else gather(data, scans, files)
        return compare(scans, work, chosen_model(model, work))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fidelity", description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder of pictures instead of made ones")
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--json", type=Path, help="write each verdict there")
    parser.add_argument("--model", default="default", help="a name or a file")
    given = parser.parse_args(arguments)
    verdicts = measure(given.data, given.files, given.model)
    for row in (HEAD, ("---",) * len(HEAD), *table(verdicts)):
        print("| " + " | ".join(row) + " |")
    if given.json:
        plain = {way: [asdict(one) for one in found] for way, found in verdicts.items()}
        given.json.write_text(json.dumps(plain, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
