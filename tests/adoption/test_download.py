"""Fetching over a loopback server that breaks connections, has other files, or is not there."""

import functools
import http.server
import threading

import pytest

from archive_colorizer.adoption.catalog import load_catalog
from archive_colorizer.adoption.download import fetch
from archive_colorizer.adoption.families import FAMILIES
from archive_colorizer.cli import run_program
from archive_colorizer.errors import DependencyError, ModelError, UsageError
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.registry import find_model
from tests.adoption.foreign import foreign
from tests.model.networks import constant_model, digest

pytest.importorskip("pooch", reason="fetching needs pooch")

AB = (14.0, -22.0)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one file with ranges, `max_batch` bytes a connection."""

    def __init__(self, shop, *args):
        self.shop = shop
        super().__init__(*args)

    def do_GET(self):
        asked = self.headers.get("Range")
        self.shop.asked.append(asked)
        content = self.shop.content
        if content is None:
            return self.send_error(404)
        if self.shop.leads_to:
            self.send_response(302)
            self.send_header("Location", self.shop.leads_to)
            return self.end_headers()
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            return self.end_headers()
        self.send_response(206 if asked and self.shop.ranges else 200)
        if not self.shop.ranges:
            start = 0
        elif asked:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send_header("Content-Range", span)
        if self.shop.states_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : start + self.shop.most])
        return None

    def log_message(self, *_):
        pass


class Shop:
    content: bytes | None = None
    ranges = True
    most = 10**9
    states_length = True
    leads_to = None

    def __init__(self):
        self.asked = []


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A server on the loopback, and a folder of models whose table has one model there."""
    monkeypatch.setenv("ARCHIVE_COLORIZER_MODELS", str(tmp_path / "models"))
    # Only the loopback is asked, whatever proxy this machine has.
    monkeypatch.setenv("NO_PROXY", "*")
    shop = Shop()
    shop.file = foreign(tmp_path / "theirs.onnx", AB, shape=(1, 256, 256))
    onnx = pytest.importorskip("onnx")
    model = onnx.load(shop.file)
    # So large that a connection can break in the middle.
    model.doc_string = "nothing " * 40_000
    shop.file.write_bytes(model.SerializeToString())
    shop.content, shop.models = shop.file.read_bytes(), tmp_path / "models"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, shop))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shop.address = f"http://127.0.0.1:{server.server_port}/theirs.onnx"
    shop.models.mkdir()
    write_table(shop, "theirs", digest(shop.file), 'family = "ddcolor"')
    yield shop
    server.shutdown()
    server.server_close()


def write_table(shop, name, sha256, more=""):
    (shop.models / "addresses.toml").write_text(
        f'[{name}]\naddress = "{shop.address}"\nsha256 = "{sha256}"\nlicence = "mine"\n{more}\n'
    )


def get(name="theirs"):
    seen = []
    place, was_there = fetch(load_catalog()[name], lambda *one: seen.append(one))
    return place, was_there, seen


def test_a_model_is_fetched_once_adopted_and_found_by_name(shop):
    place, was_there, seen = get()
    assert not was_there
    assert seen[-1] == (len(shop.content), len(shop.content))
    assert find_model("theirs") == place
    assert open_colorizer(place).contract.licence == "mine"
    assert get() == (place, True, [])
    assert shop.asked == [None]


def test_a_broken_connection_goes_on_where_it_broke(shop):
    shop.most = 2**17
    place, _, _ = get()
    assert open_colorizer(place)
    assert shop.asked == [None, f"bytes={2**17}-", f"bytes={2**18}-"]


def test_the_same_command_goes_on_another_day(shop):
    shop.most = 100
    shop.content, whole = shop.content[:100], shop.content
    with pytest.raises(ModelError, match="not the sha256"):
        get()
    part = shop.models / "fetched" / f"{digest(shop.file)}.part"
    assert not part.exists()
    part.write_bytes(whole[:200])
    shop.content, shop.most = whole, 10**9
    shop.asked.clear()
    get()
    assert shop.asked == ["bytes=200-"]


def test_a_whole_part_needs_no_byte_and_a_server_without_ranges_begins_anew(shop):
    part = shop.models / "fetched" / f"{digest(shop.file)}.part"
    part.parent.mkdir()
    part.write_bytes(shop.content)
    place, _, seen = get()
    assert seen == []
    place.unlink()
    (part.parent / "theirs.onnx").unlink()
    part.write_bytes(shop.content[:99])
    shop.ranges = False
    assert get()[2][-1] == (len(shop.content), len(shop.content))


def test_another_file_than_promised_is_thrown_away(shop, capsys):
    shop.content = shop.content[:-1] + b"?"
    assert run_program(["models", "fetch", "theirs"]) == 4
    said = capsys.readouterr().err
    assert "not the sha256 of the table" in said
    assert not list(shop.models.rglob("*.onnx"))


@pytest.mark.parametrize("trouble", ["404", "offline"])
def test_without_network_it_says_where_to_put_the_file_by_hand(shop, capsys, trouble):
    if trouble == "404":
        shop.content = None
    else:
        shop.address = "http://127.0.0.1:9/theirs.onnx"
        write_table(shop, "theirs", digest(shop.file), 'family = "ddcolor"')
    assert run_program(["models", "fetch", "theirs"]) == 4
    place = shop.models / "fetched" / "theirs.onnx"
    said = capsys.readouterr().err
    assert f"put the file at {place} (sha256 {digest(shop.file)})" in said
    place.write_bytes(shop.file.read_bytes())
    assert run_program(["models", "fetch", "theirs"]) == 0
    assert "is fetched and adopted" in capsys.readouterr().out


def test_a_site_can_serve_models_that_carry_a_contract(shop, tmp_path):
    own = constant_model(tmp_path / "own.onnx")
    shop.content = own.read_bytes()
    write_table(shop, "own", digest(own))
    assert open_colorizer(get("own")[0]).contract.name == "constant"
    shop.content = shop.file.read_bytes()
    write_table(shop, "bare", digest(shop.file))
    with pytest.raises(ModelError, match="carries no contract"):
        get("bare")


def test_the_shipped_table_is_sound_and_a_sites_table_overrules_it(shop, capsys):
    write_table(shop, "ddcolor", "0" * 64, 'family = "custom"')
    addresses = load_catalog()
    assert addresses["ddcolor"].sha256 == "0" * 64
    shipped = [one for one in addresses.values() if one.name != "ddcolor"]
    assert {one.family for one in shipped} <= set(FAMILIES)
    assert all(one.licence == FAMILIES[one.family].licence and one.stated for one in shipped)
    assert run_program(["models", "fetch"]) == 0
    assert shop.address in capsys.readouterr().out
    assert run_program(["models", "fetch", "dcolor"]) == 2
    assert "it has eccv16" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a", "addresses.toml: "),
        ("a = 1", r"\[a\] must be a table"),
        ('[a]\naddress = "https://x"\nlicence = "x"', "no sha256"),
        ('[a]\nadress = "https://x"', "did you mean 'address'"),
        ('[a]\naddress = "file:///x"\nsha256 = "0"\nlicence = "x"', "must begin with https"),
        ('[a]\naddress = "https://x"\nsha256 = "0"\nlicence = "x"', "64 digits"),
        ('["../a"]\naddress = "https://x"\nsha256 = "0"\nlicence = "x"', "a name has letters"),
        ('[a]\naddress = 3\nsha256 = "0"\nlicence = "x"', "all values are texts"),
    ],
)
def test_a_wrong_table_is_refused_with_file_and_entry(tmp_path, text, said):
    table = tmp_path / "addresses.toml"
    table.write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        load_catalog(table)
    assert "addresses.toml" in str(caught.value)
    with pytest.raises(UsageError, match=r"missing\.toml"):
        load_catalog(tmp_path / "missing.toml")


def test_without_pooch_it_says_what_to_install(shop, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pooch", None)
    with pytest.raises(DependencyError, match=r"archive-colorizer\[models\]"):
        get()


@pytest.mark.parametrize("states_length", [True, False])
def test_a_file_that_is_too_long_is_thrown_away(shop, capsys, monkeypatch, states_length):
    monkeypatch.setattr("archive_colorizer.adoption.download._MAX_BYTES", 100_000)
    shop.states_length = states_length
    assert run_program(["models", "fetch", "theirs"]) == 4
    assert "more than 100,000 bytes" in capsys.readouterr().err
    assert [path.name for path in shop.models.rglob("*") if path.is_file()] == ["addresses.toml"]


@pytest.mark.parametrize(
    "address",
    ["http://models.example.org/a.onnx", "ftp://localhost/a", "file:///a", "https//a", "http://[a"],
)
def test_an_address_that_others_can_change_is_refused(shop, address):
    shop.address = address
    write_table(shop, "theirs", digest(shop.file))
    with pytest.raises(UsageError, match="https"):
        load_catalog()


def test_a_redirection_to_an_address_that_others_can_change_is_refused(shop, capsys):
    other = functools.partial(http.server.SimpleHTTPRequestHandler, directory=shop.models)
    with http.server.HTTPServer(("127.0.0.2", 0), other) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        shop.leads_to = f"http://127.0.0.2:{server.server_port}/addresses.toml"
        code = run_program(["models", "fetch", "theirs"])
    assert code == 4
    assert "leads to http://127.0.0.2" in capsys.readouterr().err
