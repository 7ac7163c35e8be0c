"""Prepare batches in advance, in a thread or in processes that read and decode.

A batch is a pure function of its first crop, its number of crops and their size, so any worker
can make it, and it can be repeated when a process has died.

Each process has its own pipe: in the pools of the standard library, a process that is killed while
it sends blocks the others forever; PyTorch's DataLoader would end the run.
"""

import contextlib
import multiprocessing
import signal
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Self

import cv2

from archive_colorizer.errors import SourceError
from archive_colorizer.training.data.crops import Batch, CropSampler

_MIN_PENDING = 3
_MAX_DEATHS = 3
_SECONDS_TO_END = 5.0
_CropRange = tuple[int, int, int]


class BatchLoader:
    """Load batches in the order of requests; a context manager that ends its workers.

    readers: processes that take turns; 0 uses a thread.
    """

    def __init__(self, crops: CropSampler, readers: int) -> None:
        self._crops, self._max_pending = crops, max(_MIN_PENDING, 2 * readers)
        self._pending: deque[tuple[int, _CropRange]] = deque()
        self._request_count = 0
        self._workers: list[_ThreadWorker | _ProcessWorker] = [
            _ProcessWorker(crops) for _ in range(readers)
        ]
        if not readers:
            self._workers.append(_ThreadWorker(crops))

    @property
    def is_full(self) -> bool:
        """Whether enough batches are pending; it bounds their memory."""
        return len(self._pending) >= self._max_pending

    def request(self, first: int, count: int, size: int) -> None:
        """Request crops `first` to `first + count` (exclusive), `size` pixels wide and high."""
        index, crop_range = self._request_count % len(self._workers), (first, count, size)
        self._pending.append((index, crop_range))
        self._workers[index].request(crop_range)
        self._request_count += 1

    def get(self) -> Batch:
        """Return the oldest requested batch.

        Raises SourceError when photographs cannot be read, or when readers die repeatedly.
        """
        for _ in range(_MAX_DEATHS):
            index = self._pending[0][0]
            try:
                batch = self._workers[index].get()
            except (EOFError, OSError):
                self._replace(index)
            else:
                self._pending.popleft()
                return batch
        raise SourceError(
            f"reader processes died {_MAX_DEATHS} times in a row, perhaps for lack of memory; "
            "give fewer --readers, or 0"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._workers:
            reader.close()

    def _replace(self, index: int) -> None:
        self._workers[index].close()
        self._workers[index] = _ProcessWorker(self._crops)
        for other, crop_range in self._pending:
            if other == index:
                self._workers[index].request(crop_range)


class _ThreadWorker:
    def __init__(self, crops: CropSampler) -> None:
        self._crops, self._executor = crops, ThreadPoolExecutor(1)
        self._futures: deque[Future[Batch]] = deque()

    def request(self, crop_range: _CropRange) -> None:
        self._futures.append(self._executor.submit(self._crops.make_batch, *crop_range))

    def get(self) -> Batch:
        return self._futures.popleft().result()

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)


class _ProcessWorker:
    """Make batches in a process; `get` raises EOFError or OSError when it has died."""

    def __init__(self, crops: CropSampler) -> None:
        # A forked copy of a process with threads (OpenMP, CUDA) may hang, so it is spawned.
        context = multiprocessing.get_context("spawn")
        self._pipe, other_end = context.Pipe()
        self._process = context.Process(target=_serve_batches, args=(other_end, crops), daemon=True)
        self._process.start()
        other_end.close()

    def request(self, crop_range: _CropRange) -> None:
        with contextlib.suppress(OSError):  # `get` will notice that it has died
            self._pipe.send(crop_range)

    def get(self) -> Batch:
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


def _serve_batches(pipe: "Connection[Batch | SourceError, _CropRange]", crops: CropSampler) -> None:
    """Make batches until the parent closes the pipe or dies."""
    # Ctrl-C reaches every process of a terminal, but the parent must end its readers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    with contextlib.suppress(EOFError, OSError):
        while True:
            crop_range = pipe.recv()
            try:
                answer: Batch | SourceError = crops.make_batch(*crop_range)
            except SourceError as error:
                answer = error
            pipe.send(answer)
