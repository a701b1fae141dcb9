"""The contract between code and stack is pure."""

import ast
import sys
from pathlib import Path

from lib.platform import contract


def test_the_contract_imports_the_standard_library_only() -> None:
    tree = ast.parse(Path(contract.__file__).read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}

    assert {str(module).partition(".")[0] for module in modules} <= sys.stdlib_module_names
