"""Tests of `wastelab.lab.training`."""
