"""Writes the table of compiled texts that lib/platform/precompiled.py reads: ``python precompile.py ARCHIVE RUNTIME``.

The Python that will run the archive runs this. It imports all modules of lib/ from the folder ARCHIVE, with the packages of
Lambda's runtime from the folder RUNTIME, and keeps what is compiled meanwhile.
"""

import _sre  # type: ignore[import-not-found]
import contextlib
import importlib
import marshal
import sys
from pathlib import Path
from re import _compiler  # type: ignore[attr-defined]
from types import CodeType, SimpleNamespace
from typing import Any


def main(archive: Path) -> None:
    """Write the table of ``archive``, whose modules can be imported."""
    precompiled = importlib.import_module("lib.platform.precompiled")  # the archive's own
    compiled: dict[Any, bytes] = {}
    compile_pattern = _compiler.compile

    def code(text: str, mode: str) -> CodeType:
        made: CodeType = precompiled.compile_code(text, mode)
        compiled[text] = marshal.dumps(made)
        return made

    def pattern(text: Any, flags: int = 0) -> Any:
        def keep(own_text: Any, all_flags: int, codes: list[int], *groups: Any) -> Any:
            if own_text is not None:  # it was not parsed before
                # Subclasses of int can't be written.
                compiled[text, int(flags)] = marshal.dumps((text, int(all_flags), [int(each) for each in codes], *groups))
            return _sre.compile(own_text, all_flags, codes, *groups)

        vars(_compiler)["_sre"] = SimpleNamespace(**{**vars(_sre), "compile": keep})
        return compile_pattern(text, flags)

    precompiled.replace_compilers(code, pattern)
    for file in sorted((archive / "lib").rglob("*.py")):
        with contextlib.suppress(ImportError):  # a library that is built for another machine
            importlib.import_module(".".join(file.relative_to(archive).with_suffix("").parts))
    precompiled.TABLE.write_bytes(marshal.dumps(dict(sorted(compiled.items(), key=repr))))


if __name__ == "__main__":
    sys.path[:1] = sys.argv[1:]
    main(Path(sys.argv[1]))
