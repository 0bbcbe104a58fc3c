"""Faults on purpose: processes killed, stopped and cut off in the middle of real migrations, and what came of it.

Everything is launched as in production: a worker or a dispatcher starts `manage.py execute_job` in a session of its
own. In one run of ten that goes on as in production too. In the others the process that was launched has the executor
forked by a server that has imported the product already, and waits for it: importing is most of what an executor costs.
Workers and dispatchers are never forked. The first executor of a run with a trap in it always is, and nobody launched
it.
"""
