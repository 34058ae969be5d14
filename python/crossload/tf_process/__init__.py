"""TensorFlow's process: the one room that imports TensorFlow; `python -m crossload.tf_process JOB` does the core's steps."""
