"""Settings of the executor: what may be written, where it is written, and one clear error for everything else."""
