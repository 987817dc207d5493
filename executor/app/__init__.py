"""The composition root: the only place that knows every part, and the only one that names a venue."""
