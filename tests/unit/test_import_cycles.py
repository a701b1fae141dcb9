"""No module imports itself through others, not even for type checking or within a function."""

from graphlib import TopologicalSorter

import grimp


def test_no_import_cycles() -> None:
    """``prepare`` raises CycleError with the modules of a cycle. Grimp counts imports under TYPE_CHECKING too."""
    graph = grimp.build_graph("handlers", "lib", "stack", cache_dir=None)
    TopologicalSorter({module: graph.find_modules_directly_imported_by(module) for module in graph.modules}).prepare()
