"""DynamoDB: the projection of MySQL's orders and counters, one module per kind of item."""
