"""EventBridge event patterns, as AWS's own matcher has them, over plain JSON-like dicts.

    compile_pattern({"detail": {"eventName": [{"prefix": "Delete"}]}}).matches(event)

A pattern is compiled once and matched many times. What is not fully understood is refused with
``PatternError``, which names the place; nothing is ever partly applied.

Source of every rule here: the EventBridge user guide ("Creating event patterns") and the behaviour of
github.com/aws/event-ruler, the library that EventBridge runs. Where that library's answer is an accident of how
it encodes values, the guide is followed: an IPv4 block holds no IPv6 addresses and no numbers, characters of more
than 16 bits count as themselves, a quote at the end of a prefix is a quote, a key may be empty, and one
alternative of a field never takes away what another accepts.
"""

from rules.errors import PatternError
from rules.patterns.pattern import Mismatch, Pattern, compile_pattern

__all__ = ["Mismatch", "Pattern", "PatternError", "compile_pattern"]
