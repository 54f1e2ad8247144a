"""Who is told, how, and what happens when nobody hears it: notifiers, routes, escalation, digests, the outbox."""
