"""Tests of `wastelab.lab.export`."""
