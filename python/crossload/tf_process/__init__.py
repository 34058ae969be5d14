"""TensorFlow's process: the only package that imports TensorFlow; `python -m crossload.tf_process JOB` runs the core's steps."""
