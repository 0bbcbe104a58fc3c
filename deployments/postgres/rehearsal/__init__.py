"""Playing a plan and its way back on copies of a clone: what it proves is in `checks.rehearsal.proof`."""
