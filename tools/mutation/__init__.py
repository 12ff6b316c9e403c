"""Small changes to the product that its tests must notice: `python -m tools.mutation`.

A curated list and no generator (mutmut, cosmic-ray): those change syntax wherever they can, make thousands of changes
that mean nothing, and need hours, while each of these is a mistake that would let an attacker stay, a bystander be
signed out or a record be forged.

    changes.toml   the list
    changes.py     one change, and whether it still fits the code
    trial.py       the tests on a copy of the tree, in a process that can be stopped
    __main__.py    the command
"""
