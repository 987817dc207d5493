"""Schedules and placement: what should be working now, and at which price. Pure."""
