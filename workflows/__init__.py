"""Orchestration only: workflow code decides, activities do. Nothing here touches the world."""
