"""The doors people and machines use: the HTTP control interface and the command line. Nothing is decided here."""
