"""Putting a database in the place of another under its name, so that either is complete and reachable at every moment.

- `names`: how the three databases of a swap are called. `server`: what the catalogue shows of them.
- `ledger`: what is written into the new one before it may have the name. `writes`: no writes while it is made.
- `exchange`: the swap itself. `kept`: what becomes of the old one. `carried`: what does not move with a name.
- `pooler`: the command that tells a pooler to wait. `recover`: what an executor does first, from what another left.
- `blockers`: who is in a database, and who of them can be ended.

The table of states, by the names there are: P is the database of the application, R the new one (its name ends with the
fence of the executor that may swap it in), K the old one under the name by which it is kept.

| P   | R   | K   | state   | what an executor that comes later does                                  |
|-----|-----|-----|---------|-------------------------------------------------------------------------|
| yes | no  | no  | NOTHING | makes R anew; what was left half made is dropped                        |
| yes | yes | no  | READY   | gives R its own fence, so that nobody before it can swap; then goes on  |
| yes | no  | yes | SWAPPED | it is done: P is the new one, and K lets nobody in                      |
| yes | yes | yes | UNKNOWN | nothing: somebody has renamed by hand, and a person looks               |
| no  | any | any | UNKNOWN | the same                                                                |

There is no state between READY and SWAPPED: both renames, and the door of K, are one transaction. An executor that dies
in it leaves READY, and its server process lets go of P at once. Why a stale one can write into neither database, and
swap nothing: see decision 0029.
"""
