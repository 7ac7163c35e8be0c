"""Holder: which run holds an output, as it notes beside its lock or in its lease."""

import contextlib
import json
import os
from dataclasses import dataclass
from typing import Final

LONGEST_NOTE: Final = 4096
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Which run holds an output, by its own word; `system` says whose the pid is, in stores."""

    pid: int
    host: str
    since: str
    system: str = ""

    def __str__(self) -> str:
        return f"pid {self.pid} on host {self.host!r} since {self.since!r}"


def is_alive(pid: int) -> bool:
    """Whether there is such a process on this host."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def holder_in(note: bytes) -> Holder | None:
    """What stands in a holder's note, if it is one."""
    with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
        read = json.loads(note[:LONGEST_NOTE])
        who = int(read["pid"]), str(read["host"])[:64], str(read["since"])[:32]
        return Holder(*who, str(read.get("system", "")))
    return None
