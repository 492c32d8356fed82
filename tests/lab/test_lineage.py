"""Tests of `wastelab.lab.lineage`."""
