"""Real clients against a target, through the relay: do their requests get responses, and do they show these?

`data.py` reads which clients there are (`fixtures/clients/`), `install.py` installs one, `running.py` runs one task of
it, `turns.py` and `judging.py` read the verdict from requests and responses, `repairs.py` mends known deviations, and
`measure.py` puts these together.
"""
