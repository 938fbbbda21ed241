"""The run's own activities: its projections, its plan, its report, its settlement."""
