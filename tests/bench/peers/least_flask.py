"""The least that a function with Flask and apig-wsgi does: a route, the calls, a log line."""

import logging

import calls
from apig_wsgi import make_lambda_handler
from flask import Flask, jsonify

logging.getLogger().setLevel(logging.INFO)
app = Flask(__name__)


@app.route("/<path:path>", methods=["GET", "POST"])
def any_route(path: str):
    """Make the calls."""
    calls.make()
    logging.info("done %s", path)
    return jsonify(status="ok")


lambda_handler = make_lambda_handler(app)
