"""PURE. Markets and venues that exist in numbers alone. May use `executor.domain` and `impact`."""
