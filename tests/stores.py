"""A real S3 server on the loopback, and buckets of it for tests."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from archive_colorizer.location import ObjectLocation


@dataclass(frozen=True)
class Bucket:
    """A bucket with versions, so that whatever was written twice is seen."""

    name: str
    client: Any

    @property
    def address(self) -> ObjectLocation:
        return ObjectLocation("s3", self.name)

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def note(self, key: str) -> dict[str, str]:
        return self.client.head_object(Bucket=self.name, Key=key)["Metadata"]

    def there(self, below: str = "") -> set[str]:
        found = self.client.list_objects_v2(Bucket=self.name, Prefix=below)
        return {one["Key"].removeprefix(below) for one in found.get("Contents", ())}

    def versions(self, below: str = "") -> dict[str, list[str]]:
        """The versions that each key has had."""
        found: dict[str, list[str]] = {}
        listed = self.client.list_object_versions(Bucket=self.name, Prefix=below)
        for one in listed.get("Versions", ()):
            found.setdefault(one["Key"].removeprefix(below), []).append(one["VersionId"])
        return found

    def fill(self, folder: Path, below: str) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(below + path.relative_to(folder).as_posix(), path.read_bytes())

    def manifest(self, below: str) -> list[dict[str, Any]]:
        lines = self.get(f"{below}manifest.jsonl").splitlines()
        return [one for one in map(json.loads, lines) if one["kind"] == "outcome"]


@pytest.fixture(scope="session")
def s3_server():
    server = pytest.importorskip("moto.server", reason="needs moto[server], of the test extra")
    pytest.importorskip("s3fs", reason="needs s3fs, of the s3 extra")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(s3_server, monkeypatch, request):
    """An empty bucket that this process and its children reach without being told how."""
    import boto3
    from s3fs import S3FileSystem

    from archive_colorizer.storage.filesystems import get_filesystem
    from archive_colorizer.storage.object_storage import ObjectStorage

    caches = (
        get_filesystem.cache_clear,
        ObjectStorage.forget_listings,
        S3FileSystem.clear_instance_cache,
    )
    for name in [one for one in os.environ if one.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-to-be-shown")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.client("s3")
    name = f"bucket-{abs(hash(request.node.nodeid)):x}"
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for clear in caches:
        clear()
    yield Bucket(name, client)
    for clear in caches:
        clear()
