"""Running a list of independent tasks: here, or in local worker processes.

Tasks know only their own piece of work; what runs them knows only tasks.
"""
