"""The loss surface of networks as their width grows: curvature, barriers, batches, basins.

`task` makes data and networks, `cells` measures one depth and width at levels of the loss and at
the end, `questions` asks what needs a task or a training of its own, `study` keeps every finished
piece in a journal, and `verdicts` (of the grid) and `answers` (of questions) judge each statement
of the literature by its interval.
"""
