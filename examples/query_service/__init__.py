"""A query service over SQLite whose behaviour depends on its policy: the real system that the demo records.

A shop's orders live in one SQLite file. Clients ask light, standard and deep questions; a pool of threads answers them
within budgets of wall time, rows and memory, and an intake appends new orders meanwhile. Every budget is taken from a
nested mapping, the policy, at the moment it is needed, so that a test which asks only light questions reads only the
light budgets.
"""

from __future__ import annotations
