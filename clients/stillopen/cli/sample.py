"""A small catalogue, a few cards, and a generated file of sales, for trying things out."""

import csv
import io
import random

from stillopen.core.money import Money
from stillopen.rpc.wire import money_to
from stillopen.v1 import realtime_pb2, types_pb2

_THINGS = (
    "candle",
    "mug",
    "tray",
    "lantern",
    "notebook",
    "apron",
    "clock",
    "basket",
    "bell",
    "bowl",
)
_LOOKS = ("blue", "red", "striped", "small", "large", "wooden", "enamel", "glass")
_BARCODE_FIRST = 5_000_000_000_017


def sample_products(currency: str) -> list[types_pb2.Product]:
    """Eighty products with a barcode each."""
    return [
        types_pb2.Product(
            product_id=f"P{number:03d}",
            name=f"{look} {thing}".capitalize(),
            price=money_to(Money(currency, 95 + 40 * (number % 23))),
            barcodes=[str(_BARCODE_FIRST + 11 * number)],
            tax_group="REDUCED" if number % 4 == 0 else "STANDARD",
            tax_percent_milli=9_000 if number % 4 == 0 else 21_000,
        )
        for number, (look, thing) in enumerate(
            (look, thing) for look in _LOOKS for thing in _THINGS
        )
    ]


def sample_cards(currency: str) -> list[realtime_pb2.CardRow]:
    """Five gift cards: 6001000000000001 and on, each with 50 units and more."""
    return [
        realtime_pb2.CardRow(
            number=f"60010000000000{number:02d}", balance=money_to(Money(currency, 5000 * number))
        )
        for number in range(1, 6)
    ]


def sample_sales(seed: int, invoices: int = 240) -> str:
    """A generated file of sales as raw as a real one: cancellations, zero prices, adjustments."""
    rng = random.Random(seed)  # noqa: S311 - a sample, not a secret
    products = sample_products("GBP")
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(["InvoiceNo", "StockCode", "Description", "Quantity", "UnitPrice", "Country"])
    for number in range(900_001, 900_001 + invoices):
        cancelled = number % 11 == 0
        for _ in range(rng.randint(1, 6)):
            product = rng.choice(products)
            quantity = rng.randint(1, 12)
            price = product.price.minor_units + rng.choice((0, 0, 0, -20, 35))
            code = product.product_id if rng.randrange(10) else product.product_id.lower()
            rows.writerow(
                [
                    f"{'C' if cancelled else ''}{number}",
                    code,
                    product.name,
                    -quantity if cancelled else quantity,
                    f"{price / 100:.2f}",
                    "United Kingdom",
                ]
            )
        if number % 17 == 0:
            rows.writerow([str(number), "P001", "", rng.choice((-1, -30)), "0.00", ""])
    return "\ufeff" + text.getvalue()
