"""Which requests the console answers.

It listens on loopback, which every program and every web page on the machine can reach. So a request needs all of this:

- ``Host`` is the console's own loopback address: a foreign name that resolves to 127.0.0.1 (DNS rebinding) is refused.
- A session: the token of the printed URL opens it, as a cookie that is ``HttpOnly`` and ``SameSite=Strict``.
- To change anything: POST, from the console's own origin, with the session's CSRF token.

Static files need no session. Every answer forbids inline scripts, foreign assets, frames and caching.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import flask
from flask import request

CSRF_FIELD = "csrf_token"
CSRF_HEADER = "X-CSRF-Token"
TOKEN_PARAMETER = "token"  # noqa: S105 - the parameter's name
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Gate:
    """The secrets of one running console, and its address.

    Attributes:
        port: the port that it listens on.
        token: opens a session; it is in the printed URL only.
    """

    port: int
    token: str = field(default_factory=_secret, repr=False)
    _session: str = field(default_factory=_secret, repr=False)
    _csrf: str = field(default_factory=_secret, repr=False)

    @property
    def url(self) -> str:
        """The URL that opens a session."""
        return f"http://127.0.0.1:{self.port}/?{TOKEN_PARAMETER}={self.token}"

    @property
    def hosts(self) -> frozenset[str]:
        """The values of ``Host`` that are answered."""
        return frozenset({f"127.0.0.1:{self.port}", f"localhost:{self.port}"})

    @property
    def cookie(self) -> str:
        """The name of the session cookie. Browsers share cookies between ports, so it has the port."""
        return f"switchboard_console_{self.port}"

    def protect(self, app: flask.Flask) -> None:
        """Check every request of ``app``, and set the security headers of every answer."""
        app.before_request(self._check)
        app.after_request(_set_headers)
        app.context_processor(lambda: {"csrf_token": self._csrf, "csrf_field": CSRF_FIELD, "csrf_header": CSRF_HEADER})

    def _check(self) -> flask.typing.ResponseReturnValue | None:
        if request.headers.get("Host", "") not in self.hosts:
            return flask.render_template("refused.html", reason="host"), 421
        if request.endpoint == "static":
            return None
        if TOKEN_PARAMETER in request.args and request.method in _SAFE_METHODS:
            return self._open_session()
        if not _same(request.cookies.get(self.cookie, ""), self._session):
            return flask.render_template("refused.html", reason="session", path=_own_path()), 401
        if request.method not in _SAFE_METHODS and not self._is_own_form():
            return flask.render_template("refused.html", reason="form"), 403
        return None

    def _open_session(self) -> flask.typing.ResponseReturnValue:
        """Exchange the token for a cookie, and take it out of the URL: it must not stay in the history."""
        if not _same(request.args[TOKEN_PARAMETER], self.token):
            return flask.render_template("refused.html", reason="session", path=_own_path()), 401
        rest = [(name, value) for name, value in request.args.items(multi=True) if name != TOKEN_PARAMETER]
        answer = flask.make_response(flask.redirect(f"{_own_path()}{'?' if rest else ''}{urlencode(rest)}", 303))
        answer.set_cookie(self.cookie, self._session, httponly=True, samesite="Strict", path="/")
        return answer

    def _is_own_form(self) -> bool:
        """Whether a page of this console sent the request. Browsers send ``Origin`` with every POST."""
        origin, site = request.headers.get("Origin", ""), request.headers.get("Sec-Fetch-Site", "same-origin")
        if origin.removeprefix("http://") not in self.hosts or not origin.startswith("http://") or site != "same-origin":
            return False
        return _same(request.form.get(CSRF_FIELD, "") or request.headers.get(CSRF_HEADER, ""), self._csrf)


def _own_path() -> str:
    """The path of the request as a URL of this host: browsers take ``//`` and ``/\\`` for the start of another host."""
    return "/" + quote(request.path.lstrip("/"))


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _set_headers(response: flask.Response) -> flask.Response:
    response.headers.update(_HEADERS)
    response.headers["Cache-Control"] = "no-cache" if request.endpoint == "static" else "no-store"
    return response
