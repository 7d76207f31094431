"""Eight optimisers from one start on one task: end points, functions, kernels, errors.

`task` has inputs and labels (correct, flipped, random), `rates` learning rates in units that mean
the same at every width, `runs` one run until a training loss is reached, in a file whose name
carries a hash of all that determines it: this is what resumes. `starts` has outputs and empirical
kernel of a start, `kernels` gradient flow and ridge of any kernel in closed form, `measures` rows,
`verdicts` statements with Student's t intervals over seeds, `study` says which runs and tables.

Functions are compared at the *same training loss*, not after the same steps: a run is taken where
it first gets to a level, the kernel's flow at the time of that very loss. What is asked of an
optimiser is the slope of its gap to that flow against the width, and of the gap over gradient
descent's, with intervals over starts: that needs no threshold for "near".
"""
