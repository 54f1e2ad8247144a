"""Fakes that ship with the package, for its own tests, for the demo and for users' tests."""
