"""What is looked at: pictures, charts, and self-contained html pages of trainings."""
