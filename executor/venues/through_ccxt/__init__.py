"""Other venues than Bybit, through ccxt: one gateway for each, behind the port that Bybit stands behind too."""
