"""Who may do what, and what was done.

audit/   the audit log: one line for each decision, change and refusal, in a chain
"""
