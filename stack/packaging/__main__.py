"""``python -m stack.packaging``: builds the archives and prints what is in them."""

import sys

from stack.packaging import archive

sys.exit(archive.main())
