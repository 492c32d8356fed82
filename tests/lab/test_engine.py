"""Engines: passwords are hidden, errors say what to do."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from wastelab.errors import LabError
from wastelab.lab.engine import hide_password, postgres_engine, translate, without_password


@pytest.mark.parametrize(
    ("url", "hidden", "clean"),
    [
        ("postgresql://u:secret@h/d", "postgresql://u:***@h/d", "postgresql://u@h/d"),
        ("postgresql://u:se%40cret@h:5433/d?sslmode=require", "postgresql://u:***@h:5433/d?sslmode=require",
         "postgresql://u@h:5433/d?sslmode=require"),
        ("postgresql://u@h/d?password=secret&sslmode=require", "postgresql://u@h/d?password=***&sslmode=require",
         "postgresql://u@h/d?sslmode=require"),
        ("postgresql://h/d", "postgresql://h/d", "postgresql://h/d"),
    ],
)  # fmt: skip
def test_passwords_are_neither_shown_nor_kept(url: str, hidden: str, clean: str) -> None:
    assert hide_password(url) == hidden and without_password(url) == clean
    assert "cret" not in hidden + clean


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "postgresql//u:secret", "sqlite:///x.db"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(LabError) as caught:
        postgres_engine(url)
    assert "postgresql://" in str(caught.value) and "x:secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("database or disk is full", "Free space"),
        ('could not extend file "base/1": No space left on device', "Free space"),
        ("attempt to write a readonly database", "rights"),
        ("database is locked", "another program has been writing"),
        ("canceling statement due to lock timeout", "another program has been writing"),
        ('password authentication failed for user "x"', "user or password is wrong"),
        ('database "x" does not exist', "createdb"),
        ("connection failed: Connection refused", "cannot be reached"),
        ("server closed the connection unexpectedly", "not known"),
        ("terminating connection due to administrator command", "not known"),
        ("database disk image is malformed", "damaged"),
        ("file is not a database", "damaged"),
        ("disk I/O error", "did not answer"),
    ],
)
def test_an_error_says_what_to_do(said: str, advice: str) -> None:
    found = str(translate(OperationalError("", {}, Exception(said)), "mylab"))
    assert found.startswith(f"mylab: {said}; ") and advice in found
