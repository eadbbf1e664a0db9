"""The request path: documents in, timetables out."""
