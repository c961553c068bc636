"""Tests, and the demonstration that they share their parts with."""
