"""Exports read by the real tools, which ``make test-tools`` installs apart; without them these tests skip."""
