"""The photographs that the shipped model is trained on: where they are from, which of them are fit, the data set."""
