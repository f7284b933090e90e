"""A small package on its way that is in no file: it is applied as it comes, and kept no longer."""

from collections.abc import Callable

from stillopen.core.errors import Reason, Refused
from stillopen.storage.package_file import damaged

HELD_BYTES_MAX = 2**16
"""What is larger goes by the shelf, and goes on there after its stream broke off."""


class Held:
    """Takes the bytes of one package; `whole` is told of them at the end."""

    def __init__(self, size: int, whole: Callable[[bytes], None]) -> None:
        self._size = size
        self._whole = whole
        self._data = bytearray()
        self.replaced = False
        """Whether another stream brings a package since."""

    @property
    def there(self) -> int:
        """How many of its bytes came."""
        return len(self._data)

    async def write(self, data: bytes) -> None:
        """Takes the next part; Refused PACKAGE_DAMAGED for more than was said, STREAM_REPLACED."""
        self._check()
        if len(self._data) + len(data) > self._size:
            raise damaged("it is larger than it said")
        self._data += data

    async def finish(self) -> None:
        """All of it came."""
        self._check()
        if self.there != self._size:
            raise damaged(f"{self.there} of {self._size} bytes came")
        self._whole(bytes(self._data))

    def drop(self) -> None:
        """It does not come after all."""
        self._data.clear()

    def _check(self) -> None:
        if self.replaced:
            raise Refused(Reason.STREAM_REPLACED, "another stream brings the package")
