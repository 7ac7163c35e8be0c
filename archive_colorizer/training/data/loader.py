"""Batches made ahead of the network: by a thread, or by processes that read and decode.

A batch is a pure function of where it begins, how many crops it has and how large they are.
So it does not matter who makes it, and it can be made again when a process has died.

Each process has a pipe of its own.  In the pools of the standard library all share one, and
whoever is killed while it sends a batch leaves the others and the parent waiting forever;
PyTorch's DataLoader would bring torch into every reader, and end the run.
"""

import contextlib
import multiprocessing
import signal
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Protocol, Self

import cv2

from archive_colorizer.errors import SourceError
from archive_colorizer.training.data.crops import Batch, Crops

_AHEAD = 3
_DEATHS = 3
_SECONDS_TO_END = 5.0
_Request = tuple[int, int, int]


class Stream:
    """Batches in the order they are asked for; a context that ends its thread or processes.

    readers: processes that make them in turn; 0 is a thread of this one.
    """

    def __init__(self, crops: Crops, readers: int) -> None:
        self._crops, self._ahead = crops, max(_AHEAD, 2 * readers)
        self._waiting: deque[tuple[int, _Request]] = deque()
        self._asked = 0
        self._readers: list[_Reader] = [_Process(crops) for _ in range(readers)]
        if not readers:
            self._readers.append(_Thread(crops))

    @property
    def full(self) -> bool:
        """Whether enough batches are under way; it bounds the memory that they take."""
        return len(self._waiting) >= self._ahead

    def ask(self, first: int, count: int, size: int) -> None:
        """Have crops `first` to `first + count` made, `size` pixels wide and high."""
        turn, request = self._asked % len(self._readers), (first, count, size)
        self._waiting.append((turn, request))
        self._readers[turn].ask(request)
        self._asked += 1

    def take(self) -> Batch:
        """The oldest batch that was asked for.

        Raises SourceError when photographs cannot be read, or when readers die again and
        again on the way to it.
        """
        for _ in range(_DEATHS):
            turn = self._waiting[0][0]
            try:
                batch = self._readers[turn].take()
            except (EOFError, OSError):
                self._replace(turn)
            else:
                self._waiting.popleft()
                return batch
        raise SourceError(
            f"reader processes died {_DEATHS} times in a row, perhaps for lack of memory; "
            "give fewer --readers, or 0"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.close()

    def _replace(self, turn: int) -> None:
        self._readers[turn].close()
        self._readers[turn] = _Process(self._crops)
        for other, request in self._waiting:
            if other == turn:
                self._readers[turn].ask(request)


class _Reader(Protocol):
    """Makes batches, one after the other."""

    def ask(self, request: _Request) -> None: ...
    def take(self) -> Batch: ...
    def close(self) -> None: ...


class _Thread:
    def __init__(self, crops: Crops) -> None:
        self._crops, self._executor = crops, ThreadPoolExecutor(1)
        self._made: deque[Future[Batch]] = deque()

    def ask(self, request: _Request) -> None:
        self._made.append(self._executor.submit(self._crops.batch, *request))

    def take(self) -> Batch:
        return self._made.popleft().result()

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)


class _Process:
    """A reader whose death shows as the end of its pipe: EOFError or OSError from `take`."""

    def __init__(self, crops: Crops) -> None:
        # Spawned, since a fork of a process with threads (OpenMP, CUDA) may never wake up.
        context = multiprocessing.get_context("spawn")
        self._pipe, other_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(other_end, crops), daemon=True)
        self._process.start()
        other_end.close()

    def ask(self, request: _Request) -> None:
        with contextlib.suppress(OSError):  # it has died, as `take` is going to find
            self._pipe.send(request)

    def take(self) -> Batch:
        answer: Batch | SourceError = self._pipe.recv()
        if isinstance(answer, SourceError):
            raise answer
        return answer

    def close(self) -> None:
        self._pipe.close()
        self._process.join(_SECONDS_TO_END)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(pipe: "Connection[Batch | SourceError, _Request]", crops: Crops) -> None:
    """Make batches until the parent closes the pipe, or dies."""
    # Ctrl-C goes to every process of a terminal; it is the parent that ends its readers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    with contextlib.suppress(EOFError, OSError):
        while True:
            request = pipe.recv()
            try:
                made: Batch | SourceError = crops.batch(*request)
            except SourceError as error:
                made = error
            pipe.send(made)
