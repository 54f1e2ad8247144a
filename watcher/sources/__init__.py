"""Where change events come from: a queue, CloudTrail itself, a trail and its past; and what Lambda hands over."""
