from collections.abc import Iterator

import pytest

from tests.executors.cluster.foreign_cluster import ForeignCluster


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignCluster]:
    """A cluster of two workers, alice and bob, which tests leave as it is."""
    cluster = ForeignCluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start("alice", "bob")
        cluster.wait_for_worker("alice")
        cluster.wait_for_worker("bob")
        yield cluster
    finally:
        cluster.stop()
