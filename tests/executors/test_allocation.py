"""Who restores: processes, hands and cards."""

import pytest

from archive_colorizer.device import VISIBLE_DEVICES, Device
from archive_colorizer.executors import allocation as team
from archive_colorizer.executors.allocation import (
    MAX_THREADS_PER_WORKER,
    WorkerAllocation,
    allocate_cores,
    allocate_gpus,
)


@pytest.fixture(params=[2, 8, 64])
def at_hand(request, monkeypatch):
    monkeypatch.setattr(team, "count_cores", lambda: request.param)
    return request.param


def test_without_a_card_it_is_a_process_a_core(at_hand):
    assert allocate_cores(0) == WorkerAllocation(at_hand, 1)
    assert allocate_cores(1) == WorkerAllocation(1, at_hand)
    assert allocate_cores(2 * at_hand) == WorkerAllocation(2 * at_hand, 1)


def test_with_cards_it_is_a_process_a_card_and_a_hand_a_core(at_hand, monkeypatch):
    monkeypatch.setenv(VISIBLE_DEVICES, "0,1")
    share = allocate_gpus(0, Device("cuda"))
    assert (share.workers, share.threads) == (2, 1)
    assert share.threads_per_worker == min(MAX_THREADS_PER_WORKER, at_hand // 2)
    assert share.gpus == ("0", "1")
    assert share.workers * share.threads_per_worker <= at_hand


def test_more_processes_take_the_cards_in_turn(monkeypatch):
    monkeypatch.setenv(VISIBLE_DEVICES, "GPU-a,GPU-b")
    share = allocate_gpus(5, Device("auto"))
    assert [share.get_gpu(worker) for worker in range(share.workers)] == [
        "GPU-a", "GPU-b", "GPU-a", "GPU-b", "GPU-a",
    ]  # fmt: skip


def test_a_card_by_its_number_serves_all(monkeypatch):
    monkeypatch.setenv(VISIBLE_DEVICES, "0,1")
    for device in (Device("cuda", 1), Device("tensorrt", 0)):
        share = allocate_gpus(0, device)
        assert share.workers == 1
        assert share.get_gpu(0) is None


def test_the_only_card_is_left_as_it_is(monkeypatch):
    monkeypatch.setenv(VISIBLE_DEVICES, "GPU-a")
    assert allocate_gpus(0, Device("cuda")).gpus == ()
    assert allocate_gpus(2, Device("auto")).workers == 2


def test_nobody_is_without_a_hand(monkeypatch):
    monkeypatch.setenv(VISIBLE_DEVICES, "")
    monkeypatch.setattr(team, "count_cores", lambda: 1)
    assert allocate_gpus(0, Device("cuda")) == WorkerAllocation(1, 1, 1, ())
