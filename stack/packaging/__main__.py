"""``python -m stack.packaging``: builds the archives and prints what is in them.

With ``--python`` it only prints the Python that compiles for Lambda, and fetches it if it can; nothing where there is none.
"""

import sys

from stack.packaging import archive

if sys.argv[1:] == ["--python"]:
    found = archive.find_compiler()
    sys.stdout.write(f"{found.executable}\n" if found else "")
else:
    sys.exit(archive.main())
