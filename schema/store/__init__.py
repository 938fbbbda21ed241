"""The only SQL of the product; one file per aggregate.

Every function takes the session and then `org_id`, and filters on it: another tenant's object is not found. None of
them commits: one request or activity attempt is one transaction, committed by the session's context.

Rows are locked in one order everywhere, so that transactions cannot wait for each other in a ring:
run -> balance -> hold -> audit head.
"""
