"""The channel database: what a store's registers have sent."""

from stillopen.replication.inbox import STEP as INBOX_STEP
from stillopen.replication.received import STEP as RECEIVED_STEP
from stillopen.storage.schema import Schema

SCHEMA = Schema("channel", ((*INBOX_STEP, *RECEIVED_STEP),))
