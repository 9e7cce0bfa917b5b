"""An ordinary locustfile: customers who ask the query service for cards. It knows nothing of soaks.

The time between two requests of a user comes from the variable ``WAIT_MS``.
"""

from __future__ import annotations

import os
import random

from locust import HttpUser, constant, task


class Customer(HttpUser):
    """Asks for one card after the other."""

    wait_time = constant(int(os.environ.get("WAIT_MS", "20")) / 1000)

    @task
    def card(self) -> None:
        """Ask for a card."""
        self.client.get(f"/card?customer={random.randint(1, 50)}", name="/card")
