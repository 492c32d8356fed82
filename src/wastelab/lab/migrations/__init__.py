"""Schema changes of the catalogue, one file each under `versions/`, applied by Alembic."""
