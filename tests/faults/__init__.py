"""Faults on purpose: processes killed, stopped and cut off in the middle of real migrations, and what came of it."""
