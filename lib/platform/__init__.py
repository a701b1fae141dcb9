"""What every function stands on: AWS, DynamoDB, queues, secrets, the environment, time, errors, logs and metrics."""
