"""Serialized tf.train.Example records: their encoding, their split and their TFRecord files."""
