"""Second opinions about prices, from other exchanges."""
