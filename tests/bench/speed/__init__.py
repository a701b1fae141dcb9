"""The benchmarks of `make bench`: Switchboard compared with a bare client and with other libraries."""
