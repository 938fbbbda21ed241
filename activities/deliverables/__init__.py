"""Files that a person would send on: a run's record as Markdown, HTML, PDF, DOCX, PPTX, JSON and ZIP."""
