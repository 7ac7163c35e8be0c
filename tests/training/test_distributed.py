import os
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from archive_colorizer.training.checkpoint import load_checkpoint  # noqa: E402
from archive_colorizer.training.distributed import Distributed  # noqa: E402

_EACH = """
import sys, torch
from archive_colorizer.training.distributed import Distributed

class Network(torch.nn.Module):
    def __init__(self, rank):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((3,), float(rank)))
        self.idle = torch.nn.Parameter(torch.ones(2))

    def forward(self, slopes):
        return (self.weight * slopes).sum()

distributed = Distributed.join()
network = Network(distributed.rank)
wrapped = distributed.wrap(network)
assert network.weight.tolist() == [0.0, 0.0, 0.0]
for step in (1.0, 2.0):
    network.zero_grad(set_to_none=True)
    wrapped(step * (torch.arange(3.0) + 10.0 * distributed.rank)).backward()
    assert network.weight.grad.tolist() == [step * 5.0, step * 6.0, step * 7.0], step
    assert network.idle.grad is None
assert distributed.broadcast(7.0 + distributed.rank) == 7.0
assert distributed.is_main == (distributed.rank == 0)
open(sys.argv[1] + str(distributed.rank), "w").write(str(distributed.count))
"""


def torchrun(*arguments, port):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    where = ["--master-addr", "127.0.0.1", "--master-port", str(port)]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, *where, *arguments], env=env, capture_output=True, text=True, timeout=240
    )


@pytest.fixture
def port():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_alone_nothing_is_shared(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert Distributed.join() == Distributed(0, 1)
    network = torch.nn.Linear(1, 1)
    assert Distributed.join().wrap(network) is network
    assert Distributed.join().broadcast(3.5) == 3.5
    assert Distributed.join().is_main


def test_two_processes_share_slopes_weights_and_clock(tmp_path, port):
    script = tmp_path / "each.py"
    script.write_text(_EACH)
    made = torchrun(str(script), str(tmp_path / "rank"), port=port)
    assert made.returncode == 0, made.stderr
    assert [(tmp_path / f"rank{rank}").read_text() for rank in (0, 1)] == ["2", "2"]


def test_two_processes_train_one_network(tmp_path, tar, port):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        'network = "unet"\nencoder_weights = "none"\nvalidation_share = 0.0\nthreads = 1\n'
        "[network_kwargs]\nwidths = [8, 8]\n[[phases]]\nshare = 1.0\nsize = 32\nbatch = 2\n"
    )
    run = tmp_path / "run"
    settings = ["--data", str(tar), "--output", str(run), "--recipe", str(recipe)]
    made = torchrun(
        "--no-python", "archive-colorize", "train", *settings, "--crops", "12", port=port
    )
    assert made.returncode == 0, made.stderr
    content = load_checkpoint(run)
    assert (content["crops"], content["steps"]) == (12, 3)
    assert made.stdout.count("for validation") == 1
