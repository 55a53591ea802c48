"""A few of the failures that `make campaign-failures` causes, as they are told and mended there."""

from __future__ import annotations

from collections.abc import Iterator

import campaign_failures
import failures
import pytest

FEW = [
    "CRM: wrong client secret",
    "CRM: session ends in the middle",
    "CRM: a validation rule refuses a record",
    "Share: a field that AWS needs is empty",
    "Edit: AWS reviews the opportunity",
    "Message: not JSON",
]


@pytest.fixture(scope="module")
def world() -> Iterator[failures.World]:
    with failures.world("failures") as made:
        yield made


@pytest.mark.parametrize("name", FEW)
def test_a_failure_is_told_and_mended(world: failures.World, name: str) -> None:
    [failure] = [failure for failure in campaign_failures.FAILURES if failure.name == name]
    row = failures.play(world, failure)
    assert (row.wrong, row.lost) == ([], [])
