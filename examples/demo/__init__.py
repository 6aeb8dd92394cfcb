"""The main job, end to end: citizens of nine cities get their 无犯罪记录证明 through one hub."""
