"""Ways to real and local markets."""
