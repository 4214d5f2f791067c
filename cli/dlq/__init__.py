"""Looking after the messages that were given up on: `cafe dlq`."""
