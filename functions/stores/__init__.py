"""Where orders and counters are kept, one module per store."""
