"""Access to the stores. Every call raises StoreUnavailableError if its store is unavailable."""
