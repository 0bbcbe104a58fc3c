"""What a rehearsal of a migration and its way back is judged by; `deployments/postgres/rehearsal` plays it."""
