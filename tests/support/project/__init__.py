"""The repository under test: its pages, configuration, outputs, Pulumi program as a graph, and the number of examples."""
