"""The stillopen command."""
