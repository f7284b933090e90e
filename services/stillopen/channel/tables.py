"""The channel database: what a store's registers have sent, and the carts they set aside."""

from stillopen.channel.suspended import STEP as SUSPENDED_STEP
from stillopen.replication.inbox import STEP as INBOX_STEP
from stillopen.replication.lanes import STEP as LANES_STEP
from stillopen.replication.received import STEP as RECEIVED_STEP
from stillopen.replication.returned import STEP as RETURNED_STEP
from stillopen.storage.schema import Schema

SCHEMA = Schema(
    "channel",
    ((*INBOX_STEP, *RECEIVED_STEP), (*RETURNED_STEP, *SUSPENDED_STEP), LANES_STEP),
)
