"""Estimating coefficients from what was observed, each with its standard error. Floats in, floats out."""
