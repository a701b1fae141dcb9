"""Which source files an archive needs."""

from pathlib import Path

from stack.packaging import sources


def needed(root: Path, files: dict[str, str]) -> set[str]:
    """What the function ``one`` needs of some files."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return {file.relative_to(root).as_posix() for file in sources.needed_by(["one"], root)}


def test_imports_are_followed_through_modules_and_functions(tmp_path: Path) -> None:
    files = {
        "handlers/one.py": "from lib import a",
        "handlers/two.py": "import lib.unused",
        "lib/a.py": "def late():\n    from lib.b import B, c",
        "lib/b/__init__.py": "B = 1",
        "lib/b/c.py": "import json, lib.d.e",
        "lib/d/e.py": "import third_party",
        "lib/unused.py": "",
    }

    assert needed(tmp_path, files) == {"handlers/one.py", "lib/a.py", "lib/b/__init__.py", "lib/b/c.py", "lib/d/e.py"}


def test_packages_and_the_json_beside_a_module_belong_to_it(tmp_path: Path) -> None:
    files = {
        "handlers/__init__.py": "",
        "handlers/one.py": "from lib.a.b import name",
        "lib/__init__.py": "",
        "lib/a/__init__.py": "",
        "lib/a/b.py": "name = 1",
        "lib/a/b.schema.json": "{}",
        "lib/a/notes.txt": "for people",
    }

    assert needed(tmp_path, files) == files.keys() - {"lib/a/notes.txt"}


def test_what_only_a_type_checker_imports_is_left_out(tmp_path: Path) -> None:
    types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import lib.a\nelse:\n    import lib.b"
    files = {"handlers/one.py": types, "lib/a.py": "", "lib/b.py": ""}

    assert needed(tmp_path, files) == {"handlers/one.py", "lib/b.py"}
