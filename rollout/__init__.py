"""Running a simulator through time, and scoring what came out."""
