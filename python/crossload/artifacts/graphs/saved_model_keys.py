"""The names by which a MetaGraphDef holds what is run and not called (saved_model/constants.py, cc/saved_model/constants.h, GraphKeys)."""

INIT_OP = "__saved_model_init_op"
TRAIN_OP = "__saved_model_train_op"
# Signatures by form that name an operation to run.
OPERATIONS = (INIT_OP, TRAIN_OP)
# Collections of TensorFlow 1 that name the init op.
MAIN_OP_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
TABLE_INITIALIZERS = "table_initializer"
