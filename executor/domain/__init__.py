"""The shared vocabulary: pure records and tables, standard library only."""
