"""Builds the scenarios of the lab tenant: deterministic, synthetic, with the columns of real tables.

`python -m tools.scenarios.build` writes them, `--check` says whether the committed files are what it would write.
"""
