"""The long round: `python -m tests.fuzz --minutes 10`; ends with 1 when it has found something."""

import argparse
import hashlib
import sys
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.campaign import Reader, search
from tests.fuzz.seeds import SEEDS, from_corpus
from tests.locations import SHARED

CORPUS = SHARED / "corpus"
_CASES = 200
"""In one go, before the next target has its turn."""


def main() -> int:
    """Take the targets in turns until the time is over; write finds to files."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--target", choices=list(SEEDS), action="append")
    options.add_argument("--corpus", type=Path, default=CORPUS, help="more files to begin with")
    options.add_argument("--finds", type=Path, default=Path("fuzz-finds"))
    options.add_argument("--first", type=int, default=1, help="number of the first round")
    given = options.parse_args()
    targets = given.target or list(SEEDS)
    seeds = {name: SEEDS[name]() + from_corpus(given.corpus, name) for name in targets}
    counts, finds, number = Counter[str](), 0, given.first
    end = time.monotonic() + given.minutes * 60
    with Reader() as reader:
        while time.monotonic() < end:
            for name in targets:
                found = search(reader, name, seeds[name], _CASES, number)
                counts[name] += _CASES
                if found is not None:
                    finds += 1
                    keep(given.finds, name, *found)
                if time.monotonic() >= end:
                    break
            number += 1
    print(", ".join(f"{name} {count}" for name, count in counts.items()))
    print(f"{sum(counts.values())} cases in {given.minutes:g} minutes, {finds} finds")
    return 1 if finds else 0


def keep(folder: Path, target: str, data: bytes, said: str) -> None:
    """Write a find, and say what it is."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{target}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    path.with_suffix(".txt").write_text(said)
    print(f"{target}: {len(data)} bytes in {path}\n{said}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
