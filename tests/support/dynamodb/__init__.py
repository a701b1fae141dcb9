"""DynamoDB for tests: a table in memory, the same interface on DynamoDB Local, and servers that misbehave."""
