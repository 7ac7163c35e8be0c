import contextlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.errors import ModelError
from archive_colorizer.model.contract import ModelContract
from tests.model.networks import CONTRACT


def test_a_contract_comes_back_as_it_was_written():
    written = replace(CONTRACT, training={"photos": 3, "figures": {"ciede2000": 9.5}}, max_batch=1)
    assert ModelContract.from_json(written.to_json(), "m") == written


def test_scales_of_single_channels_come_back():
    shown = replace(CONTRACT.input, space="grey-rgb", mean=(0.485, 0.456, 0.406), std=0.25)
    written = replace(CONTRACT, input=shown)
    assert ModelContract.from_json(written.to_json(), "m") == written


def broken(**changes):
    raw = json.loads(CONTRACT.to_json())
    for path, value in changes.items():
        *folders, last = path.split("__")
        place = raw
        for folder in folders:
            place = place[folder]
        place[last] = value
    return json.dumps(raw)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 2}, "version 2"),
        ({"input__space": "xyz"}, "xyz.*known are luma, lab-l, grey-rgb"),
        ({"output__space": "yuv"}, "yuv"),
        ({"input__resize": "crop"}, "crop"),
        ({"input__size": 0}, "impossible"),
        ({"input__multiple_of": 10_000}, "impossible"),
        ({"input__std": 0.0}, "impossible"),
        ({"input__mean": [0.5, 0.5]}, "2 numbers for the 1 channels of luma"),
        ({"input__std": [0.0]}, "impossible scale"),
        ({"output__std": "much"}, r"got `str` - at `\$.output.std`"),
        ({"max_batch": 0}, "batches of 0"),
        ({"output__low": 1.0}, "empty range"),
        ({"input__colour": "x"}, "unknown key input.colour"),
        ({"input": None}, "cannot be read"),
        ({"input__size": "256"}, "cannot be read|impossible"),
    ],
)
def test_a_broken_contract_is_refused_with_the_reason(changes, said):
    with pytest.raises(ModelError, match=said):
        ModelContract.from_json(broken(**changes), "m.onnx")


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=9,
)


@given(json_values)
def test_any_json_is_a_contract_or_a_model_error(value):
    with pytest.raises(ModelError):
        ModelContract.from_json(json.dumps(value), "m.onnx")


@given(
    st.sampled_from(["input", "output", "name", "input__size", "input__std", "output__low"]),
    json_values,
)
def test_any_value_anywhere_is_taken_or_refused(path, value):
    with contextlib.suppress(ModelError):
        ModelContract.from_json(broken(**{path: value}), "m.onnx")
