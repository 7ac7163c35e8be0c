"""ssh_hosts.py for real: an sshd of our own on the loopback, and the very script against it."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.clusters.example import example, lay_scans, make_certificates, restored, states
from tests.executors.cluster.foreign_cluster import wait_until

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
ROOM = Path("/run/sshd")
"""Where an sshd of root locks up what it does not trust; the system's service would make it."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(SSHD is None, reason="needs sshd, of openssh-server"),
]


@pytest.fixture(scope="module")
def connect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """What asyncssh.connect wants to know of an sshd with keys of its own."""
    pytest.importorskip("asyncssh", reason="Dask begins processes through it")
    place = tmp_path_factory.mktemp("sshd")
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / key])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    host_key = (place / "host.pub").read_text()
    (place / "known").write_text(f"[127.0.0.1]:{port} {host_key}")
    (place / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {place}/host\nPidFile none\n"
        f"AuthorizedKeysFile {place}/user.pub\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\n"
    )
    made = os.geteuid() == 0 and not ROOM.exists()
    if made:
        ROOM.mkdir()
    log = place / "log"
    sshd = subprocess.Popen([str(SSHD), "-D", "-f", place / "config", "-E", log])
    try:
        wait_until(lambda: log.exists() and "Server listening" in log.read_text())
        yield {
            "username": getpass.getuser(),
            "port": port,
            "client_keys": [str(place / "user")],
            "known_hosts": str(place / "known"),
            "config": None,
            "agent_path": None,
        }
    finally:
        sshd.terminate()
        sshd.wait(30)
        if made:
            ROOM.rmdir()


@pytest.fixture
def script(connect: dict[str, object], tmp_path: Path) -> Path:
    """The example with two hosts that are this one, each with a worker."""
    constants = {
        '["desk", "desk", "attic", "cellar"]': repr(["127.0.0.1"] * 3),
        '{"username": "colorizer"}': repr(connect),
        '"n_workers": 4': '"n_workers": 1',
        '/opt/archive-colorizer/bin/python"\n': f'{sys.executable}"\n',
        "/home/colorizer/dask-tls": str(make_certificates(tmp_path / "tls")),
        '"/home/colorizer/dask"': f'"{tmp_path}/dask"',
    }
    return example("ssh_hosts.py", tmp_path, constants)


def started(script: Path) -> subprocess.Popen[str]:
    words = [sys.executable, script, "scans", "--output", "out"]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, cwd=script.parent, stdout=pipe, stderr=pipe, text=True)


def begun_by(sshd_port: object) -> list[psutil.Process]:
    """The processes that the sshd's sessions have begun, which are nobody's children later."""
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            if f" {sshd_port}" in one.environ().get("SSH_CONNECTION", ""):
                found.append(one)
    return found


def workers_of(port: object) -> list[psutil.Process]:
    """The Dask workers, below their nannies; not the lanes beside them."""
    found = []
    for one in begun_by(port):
        with suppress(psutil.Error):
            if any("spawn_main" in word for word in one.cmdline()):
                found.append(one)
    return found


def test_a_worker_dies_and_the_second_run_does_nothing(
    script: Path, connect: dict[str, object], tmp_path: Path
) -> None:
    lay_scans(tmp_path / "scans", 40)
    first, output = started(script), tmp_path / "out"
    wait_until(lambda: len(restored(output)) > 3)
    nanny = workers_of(connect["port"])[0].parent()
    assert nanny is not None
    for one in [*nanny.children(recursive=True), nanny]:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    _, told = first.communicate(timeout=200)
    assert first.returncode == 0, told
    made = states(output)
    assert len(made) == 40
    assert set(map(tuple, made.values())) == {("done",)}
    for log in ("scheduler", "0", "1"):
        assert "distributed" in (tmp_path / "ssh-logs" / f"{log}.log").read_text()

    second = started(script)
    said, told = second.communicate(timeout=200)
    assert second.returncode == 0, told
    assert "nothing to do" in said
    assert states(output) == made
    wait_until(lambda: not begun_by(connect["port"]))


def test_terminated_it_ends_the_run_and_what_it_began(
    script: Path, connect: dict[str, object], tmp_path: Path
) -> None:
    lay_scans(tmp_path / "scans", 150)
    process, output = started(script), tmp_path / "out"
    wait_until(lambda: len(restored(output)) > 3)
    process.terminate()
    _, told = process.communicate(timeout=100)
    assert process.returncode == 143
    assert "interrupted; the same command goes on where this run ended" in told
    assert 3 < len(states(output)) < 150
    wait_until(lambda: not begun_by(connect["port"]))


SAYS_MUCH = """
import runpy, sys
from distributed import Client, SSHCluster

def say_much():
    for _ in range(6000):
        sys.stderr.write("x" * 999 + "\\n")

if __name__ == "__main__":
    of = runpy.run_path("ssh_hosts.py")
    given = {"connect_options": of["CONNECT"], "remote_python": of["PYTHON"]}
    with SSHCluster(of["HOSTS"][:2], **given) as cluster, Client(cluster) as client:
        cluster.sync(of["keep_logs"], cluster)
        client.submit(say_much).result(timeout=60)
"""


def test_workers_that_say_much_are_heard(
    script: Path, connect: dict[str, object], tmp_path: Path
) -> None:
    (tmp_path / "much.py").write_text(SAYS_MUCH)
    run = subprocess.run(
        [sys.executable, "much.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    wait_until(lambda: (tmp_path / "ssh-logs" / "0.log").stat().st_size > 6_000_000)
    wait_until(lambda: not begun_by(connect["port"]))
