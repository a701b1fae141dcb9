"""The Lambda functions: the environment and the grants of each."""
