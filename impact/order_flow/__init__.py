"""Measures of order flow: who pushes, how hard, and what a push does to the price. Floats in, floats out."""
