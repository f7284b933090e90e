"""Messages for people and logs, without card numbers, passwords and keys."""

from google.protobuf.message import Message

SECRET_FIELDS = frozenset(
    {
        "number",
        "card_number",
        "password",
        "password_hash",
        "lock_key",
        "lock_keys",
        "payload",
        "data",
        "secret",
        "token",
        "activation_code",
    }
)


def redacted(message: Message) -> str:
    """One line of text in which secret fields read as three dots."""
    parts: list[str] = []
    for field, value in message.ListFields():
        if field.name in SECRET_FIELDS:
            text = "..."
        elif isinstance(value, Message):
            text = "{" + redacted(value) + "}"
        elif field.is_repeated and field.message_type is not None:
            text = "[" + ", ".join("{" + redacted(item) + "}" for item in value) + "]"
        else:
            text = repr(value)
        parts.append(f"{field.name}: {text}")
    return " ".join(parts)
