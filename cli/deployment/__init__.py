"""What runs the watcher in an account: the CloudFormation template and the function's package, both made from code."""
