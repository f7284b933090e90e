"""The rules of the trade: pure functions and values, no input or output, no clock, no await."""
