"""What Switchboard costs a month: every table, function and the rest, from a workload and a dated price table."""
