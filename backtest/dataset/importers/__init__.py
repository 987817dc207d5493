"""Readers of what others recorded: one module for each layout, all under one protocol."""
