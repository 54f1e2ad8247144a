"""Whether DynamoDB can be reached in a region: probes, AWS Health, and the incident of an outage."""
