"""The board in a terminal: what the web board shows and does, with keys, over SSH, in 80 columns and 24 rows."""
