"""PURE. Solutions of the literature in the papers' own symbols: what plans, simulators and tests are judged by."""
