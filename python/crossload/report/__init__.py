"""Reports: the results of a run and how they are shown: console matrix, JSON, JUnit XML."""
