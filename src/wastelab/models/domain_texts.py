"""Why a row is outside the domain of a model, in words: keys of the locale files beside the English texts."""

from __future__ import annotations

from .notices import Notice


def beyond_range(column: str, value: float, low: float, high: float) -> Notice:
    """A value beyond those of the column."""
    return Notice(
        "domain.beyond_range", "{column} = {value} is outside {low} to {high}, the range of the tests.",
        {"column": column, "value": f"{value:.6g}", "low": f"{low:.6g}", "high": f"{high:.6g}"},
    )  # fmt: skip


def impossible(column: str, value: float) -> Notice:
    """An amount below 0."""
    return Notice(
        "domain.impossible", "{column} = {value} is below 0, which is impossible.",
        {"column": column, "value": f"{value:.6g}"},
    )  # fmt: skip


def derived(name: str, value: float, low: float, high: float) -> Notice:
    """A ratio, or something else that is computed from columns, beyond that of the tests."""
    return Notice(
        "domain.derived", "{name} = {value}, computed from this row, is outside {low} to {high}, that of the tests.",
        {"name": name, "value": f"{value:.4g}", "low": f"{low:.4g}", "high": f"{high:.4g}"},
    )  # fmt: skip


def age_after(value: float, last: float) -> Notice:
    """An age later than any test."""
    return Notice(
        "domain.age_after", "Age {value} d is beyond {last} d, the last tested age.",
        {"value": f"{value:.6g}", "last": f"{last:.6g}"},
    )  # fmt: skip


def age_before(value: float, first: float) -> Notice:
    """An age earlier than any test."""
    return Notice(
        "domain.age_before", "Age {value} d is before {first} d, the first tested age.",
        {"value": f"{value:.6g}", "first": f"{first:.6g}"},
    )  # fmt: skip


def constant(column: str, value: str, tested: str) -> Notice:
    """Another value of a column that did not vary."""
    return Notice(
        "domain.constant", "{column} = {value}, but all tests have {tested}: its effect was never measured.",
        {"column": column, "value": value, "tested": tested},
    )  # fmt: skip


def missing(column: str) -> Notice:
    """A value that is not given."""
    return Notice("domain.missing", "{column} is missing; every test has it. Measure it.", {"column": column})


def category(column: str, value: str, known: str) -> Notice:
    """A level that was never tested."""
    return Notice(
        "domain.category", "{column} '{value}' was never tested (tested: {known}).",
        {"column": column, "value": value, "known": known},
    )  # fmt: skip


def combination(first: str, second: str) -> Notice:
    """Two components that were never together."""
    return Notice(
        "domain.combination", "{first} and {second} were never tested together.", {"first": first, "second": second}
    )


def far_from_mixes(distance: float, limit: float, percentile: float) -> Notice:
    """Far from all training mixes."""
    return Notice(
        "domain.far_from_mixes",
        "The nearest tested mixes are {distance} away; {percentile} % of the tested mixes are within {limit} of "
        "theirs (standard deviations per column).",
        {"distance": f"{distance:.3g}", "limit": f"{limit:.3g}", "percentile": f"{percentile:g}"},
    )


def leverage(value: float, highest: float) -> Notice:
    """More leverage than any training mix."""
    return Notice(
        "domain.leverage", "Leverage {value} exceeds that of every tested mix ({highest}): an extrapolation of several "
        "columns together.", {"value": f"{value:.3g}", "highest": f"{highest:.3g}"},
    )  # fmt: skip


def leverage_warning(value: float, limit: float) -> Notice:
    """High leverage."""
    return Notice(
        "domain.leverage_warning", "Leverage {value} is above {limit}: an unusual combination of columns.",
        {"value": f"{value:.3g}", "limit": f"{limit:.3g}"},
    )  # fmt: skip
