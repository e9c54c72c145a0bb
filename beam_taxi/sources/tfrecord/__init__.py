"""TFRecord files of tf.Examples."""
