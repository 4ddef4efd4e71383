"""Structs are read and written without loss."""

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from functions.kit import structs

json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text()
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_what_is_written_is_read_again(data: dict[str, Any]) -> None:
    struct = Struct()
    structs.write(struct, data)
    assert structs.plain_struct(Struct.FromString(struct.SerializeToString())) == data


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_what_was_observed_is_written_as_it_was(data: dict[str, Any]) -> None:
    observed, struct = Struct(), Struct()
    structs.write(observed, data)
    structs.write(struct, {"kept": observed})
    assert structs.plain_struct(struct) == {"kept": data}


@pytest.mark.parametrize(
    ("number", "read", "why"),
    [(20.0, int, "a Struct knows floats only, clouds want 20 and not 20.0"), (0.5, float, "a fraction stays one")],
)
def test_numbers(number: float, read: type, why: str) -> None:
    struct = Struct()
    struct["n"] = number
    value = structs.value_at(struct, ("n",))
    assert value is not None, why
    assert type(structs.plain(value)) is read, why


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (("a", "missing"), "a key that is not there"),
        (("a", "text", "deeper"), "a text where an object should be"),
        (("missing", "b"), "nothing at all on the way"),
    ],
)
def test_a_missing_value_is_none_and_leaves_no_trace(path: tuple[str, ...], why: str) -> None:
    struct = Struct()
    structs.write(struct, {"a": {"text": "x"}})
    before = struct.SerializeToString(deterministic=True)
    assert structs.value_at(struct, path) is None, why
    assert struct.SerializeToString(deterministic=True) == before, "protobuf maps insert what they are asked for"


def test_what_cannot_be_written_is_a_defect_of_ours() -> None:
    with pytest.raises(TypeError, match="cannot write a object into a Struct"):
        structs.write(Struct(), {"a": object()})
