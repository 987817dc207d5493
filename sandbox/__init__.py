"""Local stand-ins for the outside world: they imitate its wire, and share no code with the daemon they judge."""
