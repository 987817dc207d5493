"""The dead-man sentinel and the kill: cancel everything, by themselves, without daemon, database or control API."""
