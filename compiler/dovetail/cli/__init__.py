"""The `dovetail` command. Entry point: `dovetail.cli.main:main`.

Nothing is imported here: `dovetail --help` answers before any library but click is loaded.
"""
