"""Stand-ins for modules that packages import but functions never use: Flask's and Werkzeug's templates, command line,
development server and test client, a sixth of a cold start (docs/adr/0010), and urllib3's HTTP/2.

The packages themselves stay as they are. They are pinned and shipped with the archive, so only a new pin can need another
name: tests/infra/test_stand_ins.py compares what they import with what is here, and the answers with those of the whole Flask.
"""

from pathlib import Path

REPLACED = (
    "click",
    "flask/__main__.py",
    "flask/testing.py",
    "jinja2",
    "werkzeug/debug",
    "werkzeug/test.py",
    "werkzeug/testapp.py",
)
"""Left out of the archive: replaced below, or used by what is replaced only."""

FILES = {
    "click.py": '''\
"""Flask imports it for its development server, which functions do not have."""
''',
    "flask/cli.py": '''\
"""The group of commands that each application and blueprint has: always an empty one."""


class AppGroup:
    def __init__(self):
        self.name = None
        self.commands = {}
''',
    "jinja2.py": '''\
"""The classes that Flask derives its own from. There are no templates in a function."""


class _Absent:
    def __init__(self, *args, **kwargs):
        raise NotImplementedError("functions are shipped without Jinja")


class BaseLoader(_Absent):
    pass


class Environment(_Absent):
    pass


class FileSystemLoader(_Absent):
    pass


class Template(_Absent):
    pass


class TemplateNotFound(Exception):
    pass
''',
    "urllib3/http2/__init__.py": '''\
"""The whole one looks for a package for HTTP/2, and imports what reads the metadata of packages for that."""
''',
    "werkzeug/__init__.py": """\
from .wrappers import Request as Request
from .wrappers import Response as Response
""",
    "werkzeug/serving.py": '''\
"""Functions have no development server."""


def is_running_from_reloader():
    return False
''',
}
"""The text of each stand-in by its path in the archive."""


def write(archive: Path) -> None:
    """Write the stand-ins into the folder of an archive, for Flask and for urllib3 where it has them."""
    for name, text in FILES.items():
        owner = "urllib3" if name.startswith("urllib3/") else "flask"
        if (archive / owner).is_dir():
            (archive / name).write_text(text, encoding="utf-8")
