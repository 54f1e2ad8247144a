"""CloudFormation stacks as they were captured."""
