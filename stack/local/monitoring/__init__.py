"""CloudWatch in the local cloud: keeps the metrics of functions and of AWS, and evaluates the alarms of the program."""
