"""The cost of many orders: read from journals and results, summed up by what they have in common, and shown."""
