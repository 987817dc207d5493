"""Recorded market data: reading what others wrote, checking it, and keeping it in one columnar store."""
