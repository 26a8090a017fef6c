"""Parameters of the labeller: constants only.

Each can be set on the command line as well (BATCH_SIZE is --batch-size); `python MHMD_Labeller.py --help` explains
them. Paths are relative to the project's folder; {TEST_NAME} stands for the run's name.
"""

# The run
TEST_NAME = "MHMD_Labeller"  # name of the run
GPU_ID = "0"  # number of the GPU to use, or 'cpu'
BACKEND = "default"  # engine that computes, 'tensorflow' or 'jax'
SEED = 0  # seed of all random numbers

# Data: what collect.py, choose.py and label.py have made
TRAIN_DATA = "DATASET/mhmd"  # folder of manifest, frames and labels
LABELS = None  # table of the labels
NUM_CLASSES = 42  # labels that the table may have
HOLDOUT = 0.1  # share of titles, and of pictures, held out
SAMPLE_WEIGHTS = None  # table of how often pictures are drawn
SKIP_BROKEN = False  # leave out training pictures that cannot be read

# Network
IMAGE_SIZE = 224  # pixels, side of the pictures
WIDTH = 1.0  # factor on every channel count
LABELLER_WEIGHTS = "imagenet"  # initial weights of ResNet50
FROZEN = False  # train the last layer alone

# Training
BATCH_SIZE = 32  # pictures in one batch
ACCUMULATE = 1  # parts that a batch is computed in
STRATEGY = "none"  # devices that share a batch
JIT = False  # compile the update with XLA
NUM_EPOCHS = 30  # passes over the training pictures
STEPS_PER_EPOCH = None  # batches in one epoch
SHUFFLE = True  # a new order of the pictures each epoch
DROP_LAST = False  # leave out an epoch's incomplete last batch
PRECISION = "float32"  # 'float32', 'bfloat16' or 'float16'
LEARNING_RATE = 1e-4  # first step size of Adam

# Checkpoints: at the end of each epoch, and after so many steps or minutes
SAVE_EVERY = None  # steps from checkpoint to checkpoint
SAVE_MINUTES = 15  # minutes from checkpoint to checkpoint
KEEP_CHECKPOINTS = 2  # checkpoints that stay, the newest ones
SAVE_NETWORKS_EVERY = 1  # epochs from saved networks to saved networks

# Results of training
MODEL_DIR = "MODEL/{TEST_NAME}"  # folder of the trained networks and checkpoints
OUT_DIR = "RESULT/{TEST_NAME}/training"  # folder of what the evaluations give
LOG_DIR = "RESULT/{TEST_NAME}/logs"  # folder of the logs and loss curves
