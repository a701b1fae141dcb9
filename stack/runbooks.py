"""The URL of the runbooks for notifications: by default in the repository that the checkout was cloned from."""

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pulumi

_FOLDER = "docs/runbooks/"
_ROOT = Path(__file__).resolve().parents[1]
_HOSTS = {"github": "blob", "gitlab": "-/blob", "bitbucket.org": "src"}
"""Git hosts by a part of their name, with the path of a file at the newest commit of the default branch, before ``/HEAD/``."""


def base_url(configured: str, *, warn: bool, remote: str | None = None) -> str:
    """URL of the folder of the runbooks, ending in a slash.

    Args:
        configured: ``runbookBaseUrl``.
        warn: whether Pulumi prints a warning if the result is not a URL.
        remote: the URL of the checkout's remote repository; by default Git's ``origin``.

    Returns:
        If nothing is configured and the remote is not on a known Git host, the path of the folder in the repository.
    """
    if configured:
        return f"{configured.rstrip('/')}/"
    url = _of_repository(_origin() if remote is None else remote)
    if not url and warn:
        pulumi.log.warn(
            f"Alarms name a path instead of a URL: set switchboard:runbookBaseUrl to the URL of the folder {_FOLDER[:-1]}."
        )
    return url or _FOLDER


def _of_repository(remote: str) -> str:
    ssh = re.fullmatch(r"(?:ssh://)?[\w.-]+@([\w.-]+)(?::\d+)?[:/]+(.+)", remote)
    if ssh:
        host, path = ssh.groups()
    else:
        parts = urlsplit(remote)  # without its user and password
        host, path = parts.hostname or "", parts.path
        if parts.scheme not in ("http", "https"):
            return ""
    path = path.strip("/").removesuffix(".git")
    routes = [route for name, route in _HOSTS.items() if name in host]
    return f"https://{host}/{path}/{routes[0]}/HEAD/{_FOLDER}" if routes and path else ""


def _origin() -> str:
    try:
        done = subprocess.run(
            ["git", "remote", "get-url", "origin"],  # noqa: S607
            cwd=_ROOT,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
