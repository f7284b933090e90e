"""The register: sells online and offline, and brings every sale home."""

from stillopen.register.open import RegisterSettings, open_register
from stillopen.register.register import Register
from stillopen.register.status import Status

__all__ = ["Register", "RegisterSettings", "Status", "open_register"]
