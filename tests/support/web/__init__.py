"""HTTP for tests: Lambda events, signed requests, stand-ins and small servers, and calls of WSGI applications."""
