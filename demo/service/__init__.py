"""Loyalty's application: purchases bring points, people ask for their balance, and it says whether it is well.

`python -m demo.service PORT VERSION` serves on loopback; port 0 takes a free one. The environment variable
`LOYALTY_DATABASE` is the connection string of its database.
"""
