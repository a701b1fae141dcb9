"""What functions write: metrics and log lines read from their output, the metrics of the contract, and a silent logger."""
