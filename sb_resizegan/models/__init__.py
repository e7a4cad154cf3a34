"""Networks built of the layers of :mod:`sb_resizegan.nnet`."""
