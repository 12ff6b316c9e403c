"""The figures people wait for, measured against their goals: `make bench`. Never collected as tests."""
