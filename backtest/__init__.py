"""Experiments: parents worked in virtual time, with and without something, and what the difference is worth."""
