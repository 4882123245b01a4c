"""The admin engine: one declaration per resource, three interfaces (pages, REST, command line).

Imports no domain module.
"""
