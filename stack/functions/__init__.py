"""The functions as data: one module per function with its size, its environment and its grants."""
