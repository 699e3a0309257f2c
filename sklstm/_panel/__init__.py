"""Panels: reading, order of rows, windows, statistics, weights, targets. No estimators."""
