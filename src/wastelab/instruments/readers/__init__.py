"""One file per instrument format; every module here that defines ``READER`` or ``READERS`` is found by itself."""
