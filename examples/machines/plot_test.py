"""
Test
====

A.
"""

print(1)
