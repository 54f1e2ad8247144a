"""What a change event is, and how rules judge it.

Pure: no AWS, no Slack, no network, no clock. An event, facts and a rule set go in; a verdict with its
reasons comes out.
"""
