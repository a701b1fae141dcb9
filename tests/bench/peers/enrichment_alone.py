"""Enrichment alone, of Switchboard or of a peer, as a function: what comes before and after it is not measured."""

import importlib
import os

if os.environ["ENRICHER"] == "switchboard":
    from handlers import notification
    from lib.leases.events import read_event

    def lambda_handler(event, context):
        """Enrich by Switchboard."""
        return {"status": notification._enricher.enrich(read_event(event)).status}

else:
    _peer = importlib.import_module(os.environ["ENRICHER"])

    def lambda_handler(event, context):
        """Enrich by a peer."""
        return {"status": _peer.enrich(event)["status"]}

    if hasattr(_peer, "metrics") and not _peer.output.SAME:
        lambda_handler = _peer.metrics.log_metrics(lambda_handler)  # writes what was counted, after each event
