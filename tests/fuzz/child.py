"""The process that reads: `python -m tests.fuzz.child`, cases on stdin, a line for each on stdout.

A case is the target's name and the number of bytes on a line, then the bytes.  The answer is
JSON: null when all went as promised, else what was raised.  A case that takes more than
`TARGET_SECONDS` of processor time, or more than `MEMORY`, ends the process or is answered so.
"""

import json
import os
import resource
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import BinaryIO

from tests.fuzz.targets import TARGETS

SECONDS = 20.0
MEMORY = 4 << 30


def answer(target: str, data: bytes, folder: Path) -> str | None:
    """What a case raised that it must not, in a few lines."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        TARGETS[target](data, folder)
    except BaseException:
        return "".join(traceback.format_exc().splitlines(keepends=True)[-12:])
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
    return None


def serve(cases: BinaryIO, answers: BinaryIO) -> None:
    """Until there are no more cases."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        while words := cases.readline().split():
            data = cases.read(int(words[1]))
            said = answer(words[0].decode(), data, Path(folder))
            answers.write(json.dumps(said).encode() + b"\n")
            answers.flush()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Whatever a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    serve(sys.stdin.buffer, answers)
