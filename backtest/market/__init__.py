"""The artificial market from outside: kept, loaded, served over a network, and held against recorded books."""
