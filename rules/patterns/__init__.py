"""EventBridge event patterns, as AWS's own matcher has them, over plain JSON-like dicts.

    compile_pattern({"detail": {"eventName": [{"prefix": "Delete"}]}}).matches(event)

A pattern is compiled once and matched many times. What is not fully understood is refused with
``PatternError``, which names the place; nothing is ever partly applied.

Source of every rule here: the EventBridge user guide ("Creating event patterns") and the behaviour of
github.com/aws/event-ruler, the library that EventBridge runs.
"""

from rules.errors import PatternError
from rules.patterns.pattern import Mismatch, Pattern, compile_pattern

__all__ = ["Mismatch", "Pattern", "PatternError", "compile_pattern"]
