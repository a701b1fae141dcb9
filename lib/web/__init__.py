"""HTTP on Lambda: the Flask application, the adapter between Lambda and WSGI, and webhook signatures."""
