"""What is looked for in the tagged cells: one module a subject, with its rules and its checks.

A check is a function ``check_...(analysis)`` that yields findings. So are its parts, ``_check_...``.
"""
