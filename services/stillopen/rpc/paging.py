"""Pages of lists: how many rows, and where the last page ended."""

from stillopen.core.errors import invalid


def page_limit(page_size: int, default: int, most: int) -> int:
    """How many rows a page has: the default for 0, never more than `most`."""
    return min(page_size or default, most)


def number_token(token: str) -> int:
    """The row number that a page ended with; 0 at the beginning."""
    if not token:
        return 0
    if not (token.isascii() and token.isdecimal()) or len(token) > 18:  # noqa: PLR2004 - fits 64 bits
        raise invalid("page_token", "not a token of this list")
    return int(token)


def bytes_token(token: str) -> bytes:
    """The key that a page ended with; nothing at the beginning."""
    try:
        return bytes.fromhex(token)
    except ValueError:
        raise invalid("page_token", "not a token of this list") from None
