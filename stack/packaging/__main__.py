"""``python -m stack.packaging``: builds the archive and prints what is in it."""

import sys

from stack.packaging import archive

sys.exit(archive.main())
