"""The measure of memory that other tests go by."""

import sys

from tests.peak import peak_of

MEGABYTE = 1 << 20


def test_the_peak_of_a_command_is_its_own_and_not_its_parents() -> None:
    """A parent of 300 MB measures a child that does nothing; and then one of 200 MB."""
    small, large = ([sys.executable, "-c", f"bytearray({size} << 20)"] for size in (0, 200))
    mine = bytearray(300 * MEGABYTE)
    measured = [peak_of(command) for command in (small, large)]
    assert len(mine) == 300 * MEGABYTE and [code for code, _ in measured] == [0, 0]
    assert measured[0][1] < 100 * MEGABYTE and 200 * MEGABYTE <= measured[1][1] < 290 * MEGABYTE


def test_a_command_that_fails_says_so() -> None:
    code, _ = peak_of([sys.executable, "-c", "raise SystemExit(3)"])
    assert code == 3
