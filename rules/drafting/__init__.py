"""Rules drafted from an event or an incident: the narrowest that make sense, with their tests, for a person to edit."""
