"""DynamoDB: the projection of what MySQL has, one module per kind of item."""
