"""The benchmarks of `make bench`: Switchboard beside a bare client and beside what people would build with other libraries."""
