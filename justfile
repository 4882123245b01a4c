# `uv run just` lists these.
_default:
    @just --list

# Style, types and import rules: seconds
check:
    ruff check .
    ruff format --check .
    mypy
    lint-imports

# Put the code into its format
format:
    ruff check --fix .
    ruff format .

# The tests named, or those of the folders you give: just test tests/tasks
test *paths:
    pytest -n 2 {{ paths }}

# The whole suite
slow:
    pytest

# The whole suite with branch coverage, also of the processes it starts; at least 90 percent. Takes half as long again
coverage:
    coverage erase
    pytest --cov --cov-report=
    coverage report --skip-covered --show-missing

# README and docs: every command and snippet
docs:
    pytest tests/docs tests/admin/test_readme.py tests/test_vocabulary.py

# The tables of docs/recurrence.md, from the vectors
tables:
    PYTHONPATH=tests python -m support.policy_tables

# A migration from the difference between models and database
migration message:
    todo makemigrations "{{ message }}"
