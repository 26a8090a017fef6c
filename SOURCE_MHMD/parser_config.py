"""Parameters of the parser: constants only.

Each can be set on the command line as well (BATCH_SIZE is --batch-size); `python MHMD_Parser.py --help` explains them.
Paths are relative to the project's folder; {TEST_NAME} stands for the run's name.
"""

# The run
TEST_NAME = "MHMD_Parser"  # name of the run
GPU_ID = "0"  # number of the GPU to use, or 'cpu'
BACKEND = "default"  # engine that computes, 'tensorflow' or 'jax'
SEED = 0  # seed of all random numbers

# Data
TRAIN_DATA = "DATASET/dataset_train"  # folder of the training pictures
TRAIN_PARSING = None  # folder of the parsing pictures
DRAWING = "levels"  # how the training parsing is drawn
HOLDOUT = 0.1  # share of the pictures held out
SAMPLE_WEIGHTS = None  # table of how often pictures are drawn
SKIP_BROKEN = False  # leave out training pictures that cannot be read

# Network
IMAGE_SIZE = "192x128"  # pixels, side of the networks' pictures
PARSER_WEIGHTS = "none"  # initial weights

# Training
BATCH_SIZE = 16  # pictures in one batch
ACCUMULATE = 1  # parts that a batch is computed in
STRATEGY = "none"  # devices that share a batch
JIT = False  # compile the update with XLA
NUM_EPOCHS = 60  # passes over the training pictures
STEPS_PER_EPOCH = None  # batches in one epoch
SHUFFLE = True  # a new order of the pictures each epoch
DROP_LAST = False  # leave out an epoch's incomplete last batch
PRECISION = "float32"  # 'float32', 'bfloat16' or 'float16'
WEIGHT_POWER = 0.25  # how much more rare classes count
LEARNING_RATE = 2e-3  # first step size of AdamW
WEIGHT_DECAY = 1e-4  # share taken off each kernel a step

# Checkpoints: at the end of each epoch, and after so many steps or minutes
SAVE_EVERY = None  # steps from checkpoint to checkpoint
SAVE_MINUTES = 15  # minutes from checkpoint to checkpoint
KEEP_CHECKPOINTS = 2  # checkpoints that stay, the newest ones
SAVE_NETWORKS_EVERY = 1  # epochs from saved networks to saved networks

# Results of training
MODEL_DIR = "MODEL/{TEST_NAME}"  # folder of the trained networks and checkpoints
OUT_DIR = "RESULT/{TEST_NAME}/training"  # folder of what the evaluations give
LOG_DIR = "RESULT/{TEST_NAME}/logs"  # folder of the logs and loss curves
