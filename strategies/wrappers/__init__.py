"""Wrappers: a signal about a strategy, that holds it back or hurries it within stated bounds. Pure."""
