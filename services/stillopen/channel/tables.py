"""The channel database: what registers sent, carts set aside, and the index of packages."""

from stillopen.channel.credentials import STEP as CREDENTIALS_STEP
from stillopen.channel.suspended import STEP as SUSPENDED_STEP
from stillopen.replication.completed import STEP as COMPLETED_STEP
from stillopen.replication.inbox import STEP as INBOX_STEP
from stillopen.replication.lanes import STEP as LANES_STEP
from stillopen.replication.package_log import STEP as PACKAGES_STEP
from stillopen.replication.quarantine import STEP as QUARANTINE_STEP
from stillopen.replication.received import STEP as RECEIVED_STEP
from stillopen.replication.reports import STEP as REPORTS_STEP
from stillopen.replication.returned import STEP as RETURNED_STEP
from stillopen.replication.sign_in_failures import STEP as SIGN_IN_STEP
from stillopen.storage.schema import Schema

SCHEMA = Schema(
    "channel",
    (
        (*INBOX_STEP, *RECEIVED_STEP),
        (*RETURNED_STEP, *SUSPENDED_STEP),
        LANES_STEP,
        (*SIGN_IN_STEP, *REPORTS_STEP, *COMPLETED_STEP, *CREDENTIALS_STEP),
        PACKAGES_STEP,
        QUARANTINE_STEP,
    ),
)
