import signal

import pytest
from hypothesis import settings

from tests.stores import bucket, s3_server

__all__ = ["bucket", "s3_server"]

# Nothing here is about time, and a busy machine would fail examples by chance.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def signals_as_in_a_terminal():
    """Signals that whoever started the tests ignores (nohup, `&` in a script) work again.

    The commands under test inherit what is ignored, and are right to keep ignoring it.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            usual = signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
            signal.signal(number, usual)
