"""Signals: each a fold over what was observed of one market, with a small state that can be written down. Pure."""
