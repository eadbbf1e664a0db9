"""The OCR models: teacher, student, adapters."""
