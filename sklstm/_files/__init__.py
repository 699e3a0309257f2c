"""Files that hold JSON and arrays; imports nothing of the estimators."""
