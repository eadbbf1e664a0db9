"""Training of document models: from text lines with their places to timetables."""
