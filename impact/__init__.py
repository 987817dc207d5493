"""PURE. What trading costs: measured (`shortfall`) or by models of impact. May use `executor.domain`, nothing else."""
