"""``python -m wastelab``."""

from .cli import main

main()
