"""Networks of growing width against their kernels.

`task` holds what all networks share (data, analytic kernels, learning rate, the two Gaussian
processes), `runs` measures one network, `store` keeps it in a file of its own, so that a killed
study loses one network and a finished one can be given more widths or starts. `tables` makes a
point of each width and quantity, `slopes` fits slopes and judges them against `quantities`.
"""
