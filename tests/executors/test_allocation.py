"""Who restores: processes, hands and cards."""

import pytest

from archive_colorizer.device import VISIBLE, Device
from archive_colorizer.executors import allocation as team
from archive_colorizer.executors.allocation import (
    ALONE,
    MOST_HANDS,
    Share,
    Team,
    share_cards,
    share_cores,
)


@pytest.fixture(params=[2, 8, 64])
def at_hand(request, monkeypatch):
    monkeypatch.setattr(team, "cores", lambda: request.param)
    return request.param


def test_without_a_card_it_is_a_process_a_core(at_hand):
    assert share_cores(0) == Share(at_hand, 1, ALONE)
    assert share_cores(1) == Share(1, at_hand, ALONE)
    assert share_cores(2 * at_hand) == Share(2 * at_hand, 1, ALONE)


def test_with_cards_it_is_a_process_a_card_and_a_hand_a_core(at_hand, monkeypatch):
    monkeypatch.setenv(VISIBLE, "0,1")
    share = share_cards(0, Device("cuda"))
    assert (share.workers, share.threads) == (2, 1)
    assert share.team == Team(min(MOST_HANDS, at_hand // 2), ("0", "1"))
    assert share.workers * share.team.hands <= at_hand


def test_more_processes_take_the_cards_in_turn(monkeypatch):
    monkeypatch.setenv(VISIBLE, "GPU-a,GPU-b")
    share = share_cards(5, Device("auto"))
    assert [share.team.card_of(worker) for worker in range(share.workers)] == [
        "GPU-a", "GPU-b", "GPU-a", "GPU-b", "GPU-a",
    ]  # fmt: skip


def test_a_card_by_its_number_serves_all(monkeypatch):
    monkeypatch.setenv(VISIBLE, "0,1")
    for device in (Device("cuda", 1), Device("tensorrt", 0)):
        share = share_cards(0, device)
        assert share.workers == 1
        assert share.team.card_of(0) is None


def test_the_only_card_is_left_as_it_is(monkeypatch):
    monkeypatch.setenv(VISIBLE, "GPU-a")
    assert share_cards(0, Device("cuda")).team.cards == ()
    assert share_cards(2, Device("auto")).workers == 2


def test_nobody_is_without_a_hand(monkeypatch):
    monkeypatch.setenv(VISIBLE, "")
    monkeypatch.setattr(team, "cores", lambda: 1)
    assert share_cards(0, Device("cuda")) == Share(1, 1, Team(1, ()))
