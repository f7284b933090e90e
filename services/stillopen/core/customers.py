"""Customers as a store knows them."""

from dataclasses import dataclass

from stillopen.core.errors import invalid
from stillopen.core.ids import check_id, check_name


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody who buys."""

    customer_id: str
    name: str
    email: str = ""
    phone: str = ""


def check_customer(customer: Customer) -> Customer:
    """Refuses a customer whom nobody could find or write to."""
    check_id(customer.customer_id, "customer_id")
    check_name(customer.name, "name")
    check_name(customer.email, "email", required=False)
    check_name(customer.phone, "phone", required=False)
    if customer.email:
        before, at, after = customer.email.partition("@")
        if not (before and at and after) or " " in customer.email or "@" in after:
            raise invalid("email", "not an address: name@place")
    return customer
