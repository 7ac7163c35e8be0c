import pytest

from archive_colorizer.errors import DependencyError
from archive_colorizer.location import ObjectLocation
from archive_colorizer.records.jobs import Stamp
from archive_colorizer.storage import filesystems, object_access
from archive_colorizer.storage.object_access import open_store
from archive_colorizer.storage.object_storage import ObjectStorage

botocore = pytest.importorskip("botocore.exceptions", reason="needs s3fs, of the s3 extra")

ODD = ["ä +%#&?=.jpg", "n\u0301 .jpg", "tab\tx", "a*[b].jpg", "quote'\"<>.jpg", "-", "a" * 900]


@pytest.mark.parametrize("key", ODD)
def test_any_key_is_written_read_listed_and_removed(bucket, key):
    place = bucket.address / "box" / key
    ObjectStorage(place).put(b"content", "note")
    assert bucket.there() == {f"box/{key}"}
    assert ObjectStorage(place).read_content() == b"content"
    with open_store(place) as store:
        assert store.read_part(place.path, 2, 5) == b"nte"
    found = ObjectStorage(place).read_info()
    assert (found.stamp.size, found.note) == (7, "note")
    with open_store(place) as store:
        (listed,) = store.list_folder(place.parent.path)
    assert (listed.path, listed.stamp) == (place.path, found.stamp)
    ObjectStorage(place).remove()
    ObjectStorage(place).remove()
    assert bucket.there() == set()


def test_a_stamp_is_new_when_the_content_is(bucket):
    place = bucket.address / "a"
    ObjectStorage(place).put(b"one")
    before = ObjectStorage(place).read_info().stamp
    ObjectStorage(place).put(b"two")
    assert ObjectStorage(place).read_info().stamp != before
    assert ObjectStorage(place).read_info().stamp.size == before.size


def test_what_is_new_is_put_over_nothing(bucket):
    place = bucket.address / "a"
    ObjectStorage(place).put(b"theirs")
    with pytest.raises(FileExistsError):
        ObjectStorage(place).put(b"ours", new=True)
    assert bucket.get("a") == b"theirs"


def test_more_than_a_page_is_listed_whole(bucket):
    for number in range(1001):
        bucket.put(f"many/{number}", b"")
    bucket.put("many/below/x", b"")
    with open_store(bucket.address) as store:
        found = list(store.list_folder(f"{bucket.name}/many"))
    assert len(found) == 1002
    assert [one.path for one in found if one.stamp is None] == [f"{bucket.name}/many/below"]


def test_large_objects_arrive_in_parts_and_appear_together(bucket):
    data = bytes(range(256)) * (420 << 10)  # 105 MB: s3fs sends 50 MB at a time
    place = bucket.address / "large"
    ObjectStorage(place).put(data, "note", new=True)
    assert ObjectStorage(place).read_content() == data
    assert ObjectStorage(place).read_info().note == "note"
    with pytest.raises(FileExistsError):
        ObjectStorage(place).put(data, "note", new=True)
    assert not bucket.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads")


def test_files_are_sent_and_fetched(bucket, tmp_path):
    (tmp_path / "a").write_bytes(b"lines\n")
    ObjectStorage(bucket.address / "x y").upload(tmp_path / "a")
    ObjectStorage(bucket.address / "x y").download(tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"lines\n"


@pytest.mark.parametrize(
    "asked",
    [
        lambda place: ObjectStorage(place).read_content(),
        lambda place: ObjectStorage(place).read_info(),
        lambda place: ObjectStorage(place).read_beginning(1, Stamp(1, 0, 0, 0)),
    ],
)
def test_what_is_not_there_is_not_found(bucket, asked):
    with pytest.raises(FileNotFoundError) as told:
        asked(bucket.address / "nothing")
    assert told.value.strerror
    with pytest.raises(FileNotFoundError):
        asked(ObjectLocation("s3", "no-such-bucket", "a"))


class Broken:
    errors = (botocore.EndpointConnectionError, botocore.NoCredentialsError)

    def __init__(self, error):
        self.error = error

    def read(self, path):
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (
            botocore.EndpointConnectionError(endpoint_url="http://h/b?token=hush"),
            ConnectionError,
            "http",
        ),
        (botocore.NoCredentialsError(), PermissionError, "docs/remote.md"),
        (PermissionError("Access Denied"), PermissionError, "Access Denied"),
        (TimeoutError(), ConnectionError, "TimeoutError"),
        (OSError(16, "Please reduce your request rate"), ConnectionError, "request rate"),
        (OSError(22, "no such thing; key=hush"), OSError, "no such thing"),
        (OSError("https://me:hush@host/a AKIAIOSFODNN7EXAMPLE"), OSError, "host/a"),
    ],
)
def test_errors_say_what_a_person_can_do_and_no_secret(monkeypatch, error, kind, said):
    monkeypatch.setattr(object_access, "get_filesystem", lambda _scheme: Broken(error))
    with pytest.raises(kind, match=said) as told:
        ObjectStorage(ObjectLocation("s3", "b", "a")).read_content()
    assert "hush" not in str(told.value)
    assert "AKIA" not in str(told.value)
    assert told.value.__suppress_context__


class Refusal(Exception):
    """As Azure's, which come out of adlfs inside of a RuntimeError when it writes or deletes."""

    def __init__(self, said, status_code):
        super().__init__(f"{said}\nRequestId:ca27\nTime:2026\nContent: <?xml ...")
        self.status_code = status_code


class Azure:
    """adlfs, as far as it is asked here; everything is refused while there is a `refusal`."""

    def __init__(self):
        self.refusal = None
        self.told = {}

    def open(self, path, mode, **told):
        self.told = {"mode": mode, **told}
        return self

    def rm_file(self, path):
        self._do()

    def __enter__(self):
        return self

    def write(self, data):
        pass

    def __exit__(self, *_):
        self._do()

    def _do(self):
        if self.refusal is not None:
            raise RuntimeError("Failed to upload block") from self.refusal


@pytest.fixture
def azure(monkeypatch):
    azure = Azure()
    store = filesystems._AzureFilesystem(azure, (Refusal,))
    monkeypatch.setattr(object_access, "get_filesystem", lambda _scheme: store)
    return azure


@pytest.mark.parametrize(
    "do",
    [lambda place: ObjectStorage(place).put(b"a"), lambda place: ObjectStorage(place).remove()],
)
@pytest.mark.parametrize(
    ("refusal", "kind", "said"),
    [
        (Refusal("The container does not exist.", 404), OSError, "The container does not exist"),
        (
            Refusal("Server failed to authenticate the request.", 403),
            PermissionError,
            "Server failed to authenticate the request; check credentials and rights",
        ),
        (Refusal("The connection was reset.", 0), ConnectionError, "The connection was reset"),
    ],
)
def test_azure_says_what_it_refuses(azure, do, refusal, kind, said):
    azure.refusal = refusal
    with pytest.raises(kind) as told:
        do(ObjectLocation("az", "scans", "a.jpg"))
    assert told.value.strerror == said


def test_azure_is_told_what_it_gets(azure):
    ObjectStorage(ObjectLocation("az", "scans", "a.jpg")).put(b"a", "note", new=True)
    assert azure.told == {
        "mode": "xb",
        "metadata": {"is_directory": "false", "archivecolorizer": "note"},
        "content_settings": {"content_type": "image/jpeg"},
    }


@pytest.mark.parametrize(("scheme", "library"), [("s3", "s3fs"), ("gs", "gcsfs"), ("az", "adlfs")])
def test_a_missing_library_names_its_extra(monkeypatch, scheme, library):
    monkeypatch.setattr(filesystems, "find_spec", lambda name: None)
    filesystems.get_filesystem.cache_clear()
    with pytest.raises(DependencyError, match=rf"{library}.*archive-colorizer\[{scheme}\]"):
        ObjectStorage(ObjectLocation(scheme, "b", "a")).read_content()
