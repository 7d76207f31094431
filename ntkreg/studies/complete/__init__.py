"""Which of all matrices with the seen entries is found: by depth, start and optimiser.

`task` draws matrices or reads ratings, `runs` completes one of them in one way, `paths` follows
singular values beside their differential equation, `study` keeps every finished piece in a
journal, and `verdicts` judges each statement of the literature by its interval.
"""
