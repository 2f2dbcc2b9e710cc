"""The requests that compare the API: parameters by name, and a validated body.

Only names them; `rates.py` measures.
"""

from __future__ import annotations

import json

from load import ECHO, Workload

_USER = {"user_id": 42, "limit": 20, "q": "blue"}
_QUERY = "42?limit=20&q=blue"

BY_REQUEST = Workload("parameters from the request", "GET", f"/python/by-request/{_QUERY}", _USER)
BY_NAME = Workload("parameters by name", "GET", f"/python/by-name/{_QUERY}", _USER)
ORDER = Workload("1 KB validated body", "POST", "/python/orders", json.loads(ECHO), ECHO)
