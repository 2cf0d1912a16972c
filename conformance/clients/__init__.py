"""Real clients against a target, through the relay: is what they send answered, and do they show what came back?

`data.py` reads which clients there are (`fixtures/clients/`), `install.py` installs one, `running.py` runs one task of
it, `turns.py` and `judging.py` read the verdict from what went over the wire, `repairs.py` mends known deviations, and
`measure.py` puts these together.
"""
