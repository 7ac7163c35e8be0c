"""The first signal asks, the second insists."""

import os
import signal
import time

import pytest

from archive_colorizer.run.signals import Stop, stop_on_signals

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def send(signum: int) -> None:
    os.kill(os.getpid(), signum)
    time.sleep(0.01)


@pytest.mark.parametrize("signum", SIGNALS)
def test_the_first_signal_only_asks(signum: int) -> None:
    before = [signal.getsignal(one) for one in SIGNALS]
    with stop_on_signals() as stop:
        assert not stop.is_requested
        send(signum)
        assert stop.is_requested
        assert stop.signal == signum
    assert [signal.getsignal(one) for one in SIGNALS] == before


def test_the_second_signal_interrupts_once() -> None:
    with stop_on_signals() as stop:
        send(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        send(signal.SIGINT)
        assert stop.signal == signal.SIGTERM


def test_the_end_of_the_time_asks_and_is_no_signal() -> None:
    now = 0.0
    stop = Stop(60.0, clock=lambda: now)
    assert not stop.is_requested
    now = 60.0
    assert stop.is_requested
    assert stop.out_of_time
    assert stop.signal is None


def test_after_the_time_the_first_signal_is_still_the_first() -> None:
    with stop_on_signals(budget=1e-9) as stop:
        assert stop.out_of_time
        send(signal.SIGTERM)
        assert stop.signal == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGTERM)


def test_the_end_of_the_grace_interrupts_a_wait() -> None:
    with stop_on_signals(grace=0.05):
        send(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            time.sleep(30)


def test_a_shield_holds() -> None:
    with stop_on_signals(grace=0.05) as stop:
        stop.is_protected = True
        send(signal.SIGINT)
        send(signal.SIGINT)
        time.sleep(0.2)
        assert stop.signal == signal.SIGINT


def test_after_a_shield_a_second_signal_interrupts_again() -> None:
    with stop_on_signals() as stop:
        stop.is_protected = True
        stop.is_protected = False
        send(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            send(signal.SIGHUP)
            assert not stop.is_requested
    finally:
        signal.signal(signal.SIGHUP, before)
