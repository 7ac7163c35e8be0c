"""The shape of the package: the order of its packages, doors, cycles, sizes, and light imports.

Each test reports all violations at once.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import pytest

from tests.locations import REPOSITORY_ROOT

PACKAGE = REPOSITORY_ROOT / "archive_colorizer"

PACKAGES = (
    "errors _version color device location sample recipe records storage model executors training "
    "adoption manifest image output discovery run video restore pipeline film evaluation api "
    "verification report export cli"
).split()
"""Each imports only from those before it; loose modules count as packages."""

DOORS = {
    "dask": ("executors/cluster/"),
    "distributed": ("executors/cluster/"),
    "onnxruntime": ("model/runtime.py", "adoption/fp16.py"),
    "torch": ("training/",),
    "click": ("cli/",),
    "rich": ("cli/",),
    "onnx": ("adoption/onnx_graph.py", "training/"),
    "pooch": ("adoption/download.py",),
    "av": ("video/pyav.py",),
    "scenedetect": ("film/scene_cuts.py",),
    "bagit": ("discovery/bagit.py",),
    "watchfiles": ("pipeline/watch.py",),
    "pyarrow": ("export/table.py",),
    "c2pa": ("image/metadata/c2pa.py",),
    "fsspec": ("storage/filesystems.py",),
    "botocore": ("storage/filesystems.py",),
}
"""The modules, or beginnings of their paths, that may import a heavy library."""

BROAD_EXCEPTS = {"restore/outcome_boundary.py", "cli/__init__.py"}

LOOSE_MODULES = 7
MODULES_IN_A_PACKAGE = 13
LINES_IN_A_MODULE = 250
LINES_IN_A_FUNCTION = 60
PARAMETERS = 7


@cache
def modules() -> dict[str, ast.Module]:
    """The syntax tree of each module by its path below the package."""
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


@cache
def imports(module: str) -> frozenset[str]:
    """Every dotted name that a module imports, lazily or not, with what it takes from it."""
    names = set()
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


@cache
def imported_modules(module: str) -> frozenset[str]:
    """The package's own modules among the imports, as paths like those of modules()."""
    paths = set()
    for name in imports(module):
        inner = name.removeprefix(f"{PACKAGE.name}.").replace(".", "/")
        if name.startswith(f"{PACKAGE.name}."):
            paths |= {f"{inner}.py", f"{inner}/__init__.py"} & modules().keys()
    return frozenset(paths - {module})


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for module, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield module, node


def package_of(module: str) -> str:
    return module.split("/")[0].removesuffix(".py")


def test_a_package_imports_only_from_packages_before_it():
    upward = [
        f"{module} imports {other}"
        for module in modules()
        if module != "__init__.py"
        for other in imported_modules(module)
        if package_of(other) != package_of(module)
        and PACKAGES.index(package_of(other)) > PACKAGES.index(package_of(module))
    ]
    assert not upward


def test_a_heavy_library_is_imported_through_its_door_alone():
    strays = [
        f"{module} imports {name}"
        for module in modules()
        for name in imports(module)
        if not module.startswith(DOORS.get(name.split(".")[0], ("",)))
    ]
    assert not strays


def test_there_is_no_import_cycle():
    arrows = {module: imported_modules(module) for module in modules()}
    while leaves := {module for module, others in arrows.items() if not others}:
        arrows = {m: others - leaves for m, others in arrows.items() if m not in leaves}
    assert not arrows


def test_everything_is_caught_only_at_the_two_boundaries():
    broad = [
        module
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))
    ]
    assert sorted(broad) == sorted(BROAD_EXCEPTS)


def test_packages_modules_and_functions_stay_small():
    too_large = []
    folders = {PACKAGE, *(path.parent for path in PACKAGE.rglob("*.py"))}
    for folder in folders:
        count = sum(path.name != "__init__.py" or folder == PACKAGE for path in folder.glob("*.py"))
        if count > (LOOSE_MODULES if folder == PACKAGE else MODULES_IN_A_PACKAGE):
            too_large.append(f"{folder.relative_to(PACKAGE)}: {count} modules")
    for module in modules():
        lines = (PACKAGE / module).read_text(encoding="utf-8").count("\n")
        if lines > LINES_IN_A_MODULE:
            too_large.append(f"{module}: {lines} lines")
    for module, function in functions():
        lines = (function.end_lineno or 0) - function.lineno + 1
        parameters = len(function.args.args + function.args.kwonlyargs)
        is_command = any("command" in ast.unparse(mark) for mark in function.decorator_list)
        if lines > LINES_IN_A_FUNCTION or (parameters > PARAMETERS and not is_command):
            too_large.append(f"{module}: {function.name}: {lines} lines, {parameters} parameters")
    assert not too_large


def test_only_the_command_line_writes_to_the_terminal():
    printing = [
        f"{module}:{node.lineno}"
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "print"
    ]
    assert not printing


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        (
            "import archive_colorizer.pipeline.photos",
            ["torch", "click", "skimage", "distributed", "fsspec", "s3fs"],
        ),
        ("import archive_colorizer.restore.photo", ["torch", "onnxruntime", "dask", "click"]),
        ("import archive_colorizer.cli", ["numpy", "cv2", "rich", "dask", "onnxruntime"]),
    ],
)
def test_imports_stay_light(statement: str, absent: list[str]):
    script = f"{statement}; import sys; print([m for m in {absent} if m in sys.modules])"
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.stdout.strip() == "[]", process.stdout + process.stderr
