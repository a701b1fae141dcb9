"""How much memory and time an import of 200 MB takes, in the function as it runs in the local cloud.

    python -m tests.bench.import_memory

The file goes up in parts, over HTTP; the worker is the real function in its own process, whose peak is read from /proc
before and after. The issue allows 256 MB; the exit code says whether it holds.
"""

import json
import re
import sys
import time
from pathlib import Path

import requests

from tests.support.cloud import launched_cloud
from tests.support.shuttle.api import ShuttleApi

FILE_MB = 200
ALLOWED_MB = 256
ROW = ",".join(["A{number}", "12.50", "3", "lorem ipsum dolor sit amet " * 8])


def pieces(size):
    """The file in pieces of ``size`` bytes."""
    buffer, total, number = bytearray(b"sku,price,stock,text\n"), 0, 0
    while total + len(buffer) < FILE_MB * 10**6:
        buffer += (ROW.format(number=number) + "\n").encode()
        number += 1
        if len(buffer) >= size:
            yield bytes(buffer[:size])
            total += size
            del buffer[:size]
    yield bytes(buffer)


def worker_peak(cloud):
    """The peak memory, in MB, of the process that runs the imports."""
    [worker] = cloud.pids("imports")
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text())[1]) / 1024


def main():
    """Measure, and print one line of JSON."""
    columns = [{"name": "sku"}, {"name": "price", "type": "DECIMAL"}, {"name": "stock", "type": "INTEGER"}, {"name": "text"}]
    with launched_cloud() as cloud:
        shop = ShuttleApi(cloud).shop(columns=columns)
        cloud.invoke("imports", {"Records": []})  # starts its process
        before = worker_peak(cloud)
        # Announced once its size is known: the parts are as long as the announcement says.
        size = sum(map(len, pieces(8 * 1024**2)))
        made = shop.order(size)
        upload, job_id = made["upload"], made["job"]["job_id"]
        parts = []
        for number, (url, piece) in enumerate(zip(upload["part_urls"], pieces(upload["part_bytes"]), strict=True), 1):
            parts.append({"part_number": number, "etag": requests.put(url, data=piece, timeout=60).headers["ETag"]})
        started = time.monotonic()
        shop.call("POST", f"jobs/{job_id}/upload", {"upload_id": upload["upload_id"], "parts": parts})
        job = shop.ended(job_id, seconds=600)
        seconds = time.monotonic() - started
        peak = worker_peak(cloud)
        report = {
            "status": job["status"],
            "file_mb": round(size / 1e6, 1),
            "rows": job["rows_read"],
            "seconds": round(seconds, 1),
            "mb_a_second": round(size / 1e6 / seconds, 1),
            "worker_peak_mb": round(peak, 1),
            "worker_peak_before_mb": round(before, 1),
            "allowed_mb": ALLOWED_MB,
        }
        print(json.dumps(report))
        return 0 if job["status"] == "COMPLETED" and peak <= ALLOWED_MB else 1


if __name__ == "__main__":
    sys.exit(main())
