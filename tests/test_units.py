import pytest

from physgt import PhysgtError
from physgt.units import require_same_units


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("m/s", "m s-1"),
        ("m s^-1", "m/s"),
        ("N/m^2", "Pa"),
        ("W/(m K)", "W m-1 K-1"),
        ("J/(m^3 K)", "J m-3 K-1"),
        ("m^2/s^2", "m2 s-2"),
        ("°C", "degC"),
        ("", "K"),
        ("K", ""),
        ("psu", "PSU of 1978"),
    ],
)
def test_the_same_and_unknown_units_are_taken(found, expected):
    require_same_units("x", found, expected)


@pytest.mark.parametrize(
    ("found", "expected"),
    [("degC", "K"), ("kPa", "Pa"), ("1", "m"), ("m/s", "Pa"), ("mm", "m"), ("degree", "radian")],
)
def test_other_units_are_refused(found, expected):
    with pytest.raises(PhysgtError, match=f"x is in {found}, expected {expected}; convert"):
        require_same_units("x", found, expected)
