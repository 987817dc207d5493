"""PURE. What trading costs: measured after the fact (`shortfall`). May use `executor.domain` and nothing else."""
