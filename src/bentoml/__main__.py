"""`python -m bentoml` is the `bentoml` command."""

from __future__ import annotations

from bentoml.cli.main import main

if __name__ == "__main__":
    main()
