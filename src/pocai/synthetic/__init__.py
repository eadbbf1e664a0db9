"""Made documents with the truth about them: schools, timetables, layouts, type faces, damage."""
