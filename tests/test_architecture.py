"""The house holds: floors, doors, no cycle, no torch in a run, and its numbers."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "archive_colorizer"
NAME = PACKAGE.name

FLOORS = {
    "errors": 10, "color": 11, "duration": 11, "device": 11, "address": 11,
    "settings": 18, "hue_ranges": 19, "hint_points": 19, "stamps": 20, "presets": 19,
    "recipe": 20, "recipe_file": 21, "recipe_shots": 22, "sources": 21, "model": 20, "records": 22,
    "checksums": 23, "record_text": 23, "overrides": 23, "recipe_text": 24, "recipe_schema": 24,
    "store": 24,
    "media": 30, "run": 30,
    "restore": 40, "training": 40,
    "own_settings": 48, "weighing": 48, "opening": 49,
    "pipeline": 50, "sample": 50, "film_order": 50, "film_assembly": 51,
    "film_pipeline": 52, "film_preview": 52, "film_compare": 52,
    "inbox": 52, "grid": 50, "evaluation": 51, "film_verification": 50,
    "verification": 51, "adoption": 51,
    "report": 52, "loaded": 52, "api": 53,
    "cli": 60,
}  # fmt: skip
"""Tens are floors; on one floor, records stand on the recipe that they carry."""

DOORS = {
    "dask": {"run/dask_"},
    "distributed": {"run/dask_"},
    "onnxruntime": {"model/runtime.py", "adoption/halve.py"},
    "torch": {"training/"},
    "click": {"cli/"},
    "rich": {"cli/"},
    "onnx": {"adoption/graph.py", "training/"},
    "pooch": {"adoption/fetch.py"},
    "av": {"media/video.py"},
    "scenedetect": {"restore/cuts.py"},
    "bagit": {"run/bag.py"},
    "watchdog": {"run/bell.py"},
    "pyarrow": {"run/parquet.py"},
    "c2pa": {"media/credentials.py"},
    "fsspec": {"store/filesystems.py"},
    "botocore": {"store/filesystems.py"},
}

FORBIDDEN_WORDS = {"manager", "handler", "helper", "helpers", "utils", "util", "common", "base"}

BROAD_EXCEPTS = {"restore/boundary.py", "cli/__init__.py"}


@cache
def modules() -> dict[str, Path]:
    return {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


def imports(module: str) -> set[str]:
    """Every dotted name that a module imports, lazily or not, with what it takes from it."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_imports(module: str) -> set[str]:
    """The package's own modules among them, as paths like those of modules()."""
    found = set()
    for name in imports(module):
        inner = name.removeprefix(NAME + ".").replace(".", "/")
        if name.startswith(NAME + "."):
            found |= {p for p in (f"{inner}.py", f"{inner}/__init__.py") if p in modules()}
    return found - {module}


def room(module: str) -> str:
    return module.split("/")[0].removesuffix(".py")


@pytest.mark.parametrize("module", [m for m in modules() if m != "__init__.py"])
def test_a_file_imports_only_from_its_own_room_and_the_floors_below(module):
    for other in own_imports(module):
        if room(other) != room(module):
            assert FLOORS[room(other)] < FLOORS[room(module)], f"{module} imports {other}"


@pytest.mark.parametrize("module", modules())
def test_heavy_libraries_have_one_door(module):
    for name in imports(module):
        doors = DOORS.get(name.split(".")[0])
        assert doors is None or any(module.startswith(door) for door in doors), f"imports {name}"


def test_there_is_no_import_cycle():
    arrows = {module: own_imports(module) for module in modules()}
    while True:
        ends = {module for module, others in arrows.items() if not others}
        if not ends:
            break
        arrows = {m: others - ends for m, others in arrows.items() if m not in ends}
    assert not arrows


@pytest.mark.parametrize("module", modules())
def test_everything_is_caught_only_at_the_two_boundaries(module):
    broad = [
        node.lineno
        for node in ast.walk(tree(module))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))
    ]
    assert not broad or module in BROAD_EXCEPTS, f"{module}: {broad}"
    assert len(broad) <= 1


@pytest.mark.parametrize("module", modules())
def test_modules_and_functions_stay_small(module):
    assert len(modules()[module].read_text(encoding="utf-8").splitlines()) <= 300
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{module}: {node.name}"
            given = node.args.args + node.args.kwonlyargs
            is_command = any("command" in ast.unparse(one) for one in node.decorator_list)
            assert len(given) <= 7 or is_command, f"{module}: {node.name}"


@pytest.mark.parametrize("module", modules())
def test_nobody_prints_and_names_say_something(module):
    names = {node.id for node in ast.walk(tree(module)) if isinstance(node, ast.Name)}
    assert "print" not in names
    words = set(module.removesuffix(".py").replace("/", "_").split("_"))
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            words |= set(node.name.lower().split("_"))
    assert not words & FORBIDDEN_WORDS


@pytest.mark.parametrize(
    ("what", "absent"),
    [
        (
            "import archive_colorizer.pipeline.photos",
            ["torch", "click", "skimage", "distributed", "fsspec", "s3fs"],
        ),
        ("import archive_colorizer.restore.photo", ["torch", "onnxruntime", "dask", "click"]),
        ("import archive_colorizer.cli", ["numpy", "cv2", "rich", "dask", "onnxruntime"]),
    ],
)
def test_imports_stay_light(what, absent):
    said = f"{what}; import sys; print([m for m in {absent} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stdout + found.stderr
