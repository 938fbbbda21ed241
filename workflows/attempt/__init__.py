"""The parts of the Run workflow; `workflows/run.py` puts them together.

state     what the attempt knows of itself, and its waits         no commands
records   its activities: status, money, long calls
seats     its live children: shares, orders, cancels
gate      pause, resume, credits, finish, cancel
agents    a child per subtask         lanes   a child per part of a table
delivery  the stages of the report
messages  what it is told and asked: updates, signals, the query
"""
