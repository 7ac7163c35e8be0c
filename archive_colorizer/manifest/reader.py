"""Account: what a manifest says in the end, read line by line and never as a whole.

For whoever looks at an output after its runs: nothing is written and no lock is needed.
"""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

from archive_colorizer.errors import SourceError
from archive_colorizer.location import Place
from archive_colorizer.manifest.location import manifest_of
from archive_colorizer.records.json_lines import lines_of, outcome_of
from archive_colorizer.records.outcomes import Outcome, Provenance, State
from archive_colorizer.records.paths import MANIFEST


@dataclass(frozen=True, slots=True)
class Entry:
    """One outcome and the run that made it; no run where none can be named for certain."""

    outcome: Outcome
    run: Provenance | None

    @property
    def recipe(self) -> dict[str, object]:
        """The settings of this outcome: the run's, and its own above them."""
        own = self.outcome.own.settings if self.outcome.own else {}
        return {**(self.run.recipe if self.run else {}), **own}


@dataclass(slots=True)
class Account:
    """The outcomes that count in a manifest as it was when it was opened.

    In memory there are a name and two offsets for each file; the outcomes are read again
    whenever they are asked for.  `kept` holds what goes when the account does.  `ignored`
    counts lines that are no records.  `runs` are those that recorded something, the oldest
    first.
    """

    path: Path
    kept: ExitStack
    ignored: int = 0
    runs: list[Provenance] = field(default_factory=list)
    _newest: dict[str, int] = field(default_factory=dict)
    _done: dict[str, int] = field(default_factory=dict)

    @classmethod
    def open(cls, output: Place) -> "Account":
        """Raises SourceError when `output` has no manifest or it cannot be read.

        The copy of one in a store stays here as long as the account.
        """
        kept = ExitStack()
        account = cls(_here(output, kept) / MANIFEST, kept)
        with _reading(account.path) as stream:
            for offset, line in lines_of(stream):
                account._index(offset, line)
        return account

    def __len__(self) -> int:
        return len(self._newest)

    @property
    def results(self) -> int:
        """How many files have a result."""
        return len(self._done)

    def newest(self) -> Iterator[Entry]:
        """What became of each file when it was last looked at, in the order of recording."""
        return self._at(self._newest)

    def done(self) -> Iterator[Entry]:
        """The last outcome of each file that made a result, even if it has failed since."""
        return self._at(self._done)

    def _index(self, offset: int, line: bytes) -> None:
        if not line.endswith(b"\n"):
            return  # torn, or being written at this moment
        try:
            outcome = outcome_of(line)
            if outcome is None:
                self.runs.append(provenance_of(line))
                return
        except ValueError:
            self.ignored += 1
            return
        self._newest[outcome.name] = offset
        if outcome.state is not State.DONE:
            return
        if outcome.target is not None:
            self._done[outcome.name] = offset
        else:
            # A part of a film that is in the finished film now.
            self._done.pop(outcome.name, None)

    def _at(self, offsets: dict[str, int]) -> Iterator[Entry]:
        run: Provenance | None = None
        with _reading(self.path) as stream:
            for offset, line in lines_of(stream):
                try:
                    outcome = outcome_of(line)
                except ValueError:
                    continue
                if outcome is None:
                    run = provenance_of(line)
                elif offsets.get(outcome.name) == offset:
                    yield Entry(outcome, self._run_of(outcome, run))

    def _run_of(self, outcome: Outcome, nearest: Provenance | None) -> Provenance | None:
        """The run whose model and settings the outcome has.

        What a killed run made is recorded by the next one, before that one's own opening.
        """
        for run in (nearest, *reversed(self.runs)):
            if run is not None and _fits(outcome, run):
                return run
        return None


def _here(output: Place, kept: ExitStack) -> Path:
    """The folder that has the manifest of `output`."""
    try:
        return kept.enter_context(manifest_of(output))
    except FileNotFoundError as error:
        why = f"is not there ({error.strerror}); give the output of a run, which holds one"
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    raise SourceError(f"{output / MANIFEST} {why}")


def provenance_of(line: bytes) -> Provenance:
    """The Provenance on this line; whatever has not the type that it should is left empty."""
    raw: dict[str, Any] = json.loads(line)
    texts = {one.name: _text(raw.get(one.name)) for one in fields(Provenance)}
    return Provenance(
        **{
            **texts,  # type: ignore[arg-type]
            "command": _texts(raw.get("command")),
            "roots": _texts(raw.get("roots")),
            "recipe": _dict(raw.get("recipe")),
            "libraries": {key: _text(value) for key, value in _dict(raw.get("libraries")).items()},
        }
    )


def _fits(outcome: Outcome, run: Provenance) -> bool:
    """Whether this run can have made the outcome; what names no model fits the nearest run."""
    model, settings = outcome.model_sha256, outcome.own.run if outcome.own else outcome.settings
    return model in (None, run.model_sha256) and settings in (None, run.settings)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file and nothing else."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(
            f"{path} does not exist; give the output of a run, which holds one"
        ) from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SourceError(f"{path} is no regular file; give the output of a run")
        with open(descriptor, "rb", closefd=False) as stream:
            yield stream
    finally:
        os.close(descriptor)
