"""The page about features lists exactly the features and densities that the software uses."""

from pathlib import Path

from wastelab.models.features import catalogue
from wastelab.models.words import vocabulary

PAGE = Path(__file__).resolve().parents[2] / "docs" / "property_features.md"


def features_table():
    """The table of features as it must stand on the page."""
    lines = ["| feature | unit | formula | source | evidence |", "| --- | --- | --- | --- | --- |"]
    for row in catalogue().itertuples():
        doi = f", [doi:{row.doi}](https://doi.org/{row.doi})" if row.doi else ""
        lines.append(
            f"| {row.name} ({row.title_zh}) | {row.unit} | {row.formula} | {row.source}{doi} | {row.evidence} |"
        )
    return "\n".join(lines)


def densities_table():
    """The table of densities and k-values as it must stand on the page."""
    lines = ["| binder | density | k |", "| --- | --- | --- |"]
    lines += [
        f"| {role.name} ({role.zh}) | {role.density or ''} | {'' if role.k is None else role.k} |"
        for role in vocabulary().roles.values()
        if role.group == "binder"
    ]
    return "\n".join(lines)


def test_the_page_lists_every_feature_with_its_source():
    assert features_table() in PAGE.read_text(encoding="utf-8")


def test_the_page_lists_densities_and_k_values():
    assert densities_table() in PAGE.read_text(encoding="utf-8")
