"""What a profile may leave out of a register's replica."""

import pytest

from stillopen.core.errors import Misuse
from stillopen.replication.scope import excluded_by, left_out
from stillopen.replication.tables import NEVER_EXCLUDED, TABLES


@pytest.mark.parametrize("job", NEVER_EXCLUDED)
def test_what_is_needed_to_sign_in_and_to_sell_cannot_be_left_out(job: int) -> None:
    with pytest.raises(Misuse):
        excluded_by([job], [])
    for table in TABLES:
        if table.job == job:
            with pytest.raises(Misuse):
                excluded_by([], [table.name])
            assert left_out([job], [table.name]) == ()


def test_a_job_leaves_out_its_tables() -> None:
    assert excluded_by([1010], ["price"]) == ("customer", "price")
