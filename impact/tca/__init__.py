"""Where the cost of an order comes from, and what the price did after its fills."""
