"""What the daemon and the sentinel tell each other, and how: two heartbeat files and the latch file."""
