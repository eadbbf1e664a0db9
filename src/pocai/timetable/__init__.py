"""The domain: timetables, times, days, grids; assembly, checks and export."""
