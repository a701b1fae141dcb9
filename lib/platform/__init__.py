"""What every function needs: AWS, DynamoDB, queues, secrets, the environment, time, errors, logs and metrics."""
