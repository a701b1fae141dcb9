"""The fingerprint identifies a set of names; the drift check and the record reader accept any row."""

import random

from hypothesis import given
from hypothesis import strategies as st

from lib.leases.records import LeaseStatus, read_lease, shape_of
from lib.leases.schema_drift import drift, drift_of, fingerprint
from tests.support.leases.builders import lease_item

names = st.text(st.characters(codec=None), max_size=12) | st.sampled_from(["a", "b", "a,b", 'a", "b', "", "uuid", "status"])
statuses = st.sampled_from([*LeaseStatus, None, "Hibernating"])
attribute_values = st.recursive(
    st.fixed_dictionaries({"S": st.text(max_size=8)})
    | st.fixed_dictionaries({"N": st.decimals(allow_nan=False, allow_infinity=False).map(str) | st.text(max_size=4)})
    | st.fixed_dictionaries({"BOOL": st.booleans()})
    | st.fixed_dictionaries({"B": st.binary(max_size=4)})
    | st.fixed_dictionaries({"SS": st.lists(st.text(max_size=4), max_size=2)})
    | st.just({"NULL": True})
    | st.none()
    | st.text(max_size=4),
    lambda inner: (
        st.fixed_dictionaries({"L": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"M": st.dictionaries(st.sampled_from(["action", "dollarsSpent", "x"]), inner, max_size=3)})
        | st.dictionaries(st.sampled_from(["S", "N", "L", "M", "?"]), inner, max_size=2)
    ),
    max_leaves=6,
)
known_names = st.sampled_from(sorted(shape_of("Expired").required | shape_of("Expired").optional))


@given(st.lists(names), st.randoms())
def test_the_fingerprint_ignores_order_and_repetition(of: list[str], shuffler: random.Random) -> None:
    shuffled = of + of[:2]
    shuffler.shuffle(shuffled)

    assert fingerprint(shuffled) == fingerprint(of)


@given(st.sets(names, max_size=5), st.sets(names, max_size=5))
def test_different_sets_of_names_have_different_fingerprints(one: set[str], other: set[str]) -> None:
    assert (fingerprint(one) == fingerprint(other)) == (one == other)


@given(statuses, st.sets(known_names | names))
def test_drift_is_the_difference_from_the_shape_of_the_status(status: str | None, of: set[str]) -> None:
    shape = shape_of(status)
    found = drift(status, of)

    assert set(found.unknown) == {name for name in of if name not in shape.required and name not in shape.optional}
    assert set(found.missing) == {name for name in shape.required if name not in of}


@given(statuses, st.data())
def test_any_choice_of_optional_fields_is_without_drift(status: str | None, data: st.DataObject) -> None:
    shape = shape_of(status)
    chosen = data.draw(st.sets(st.sampled_from(sorted(shape.optional))))

    assert not drift(status, shape.required | chosen)


@given(st.sampled_from(LeaseStatus), st.dictionaries(known_names | names, attribute_values, max_size=6))
def test_any_item_is_read_and_a_field_is_typed_or_none(status: LeaseStatus, changes: dict[str, object]) -> None:
    lease = read_lease({**lease_item(status), **changes})

    assert lease.names >= changes.keys()
    assert set(lease.mistyped) <= changes.keys()
    assert set(drift_of(lease).mistyped) == set(lease.mistyped)
