"""The Keras network: the only package that imports Keras and TensorFlow."""
