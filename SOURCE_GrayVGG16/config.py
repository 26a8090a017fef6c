"""Parameters of the gray VGG16: constants only.

Each can be set on the command line as well (BATCH_SIZE is --batch-size); `python GrayVGG16.py --help` explains them.
Paths are relative to the project's folder; {TEST_NAME} stands for the run's name.
"""

# The run
TEST_NAME = "GrayVGG16"  # name of the run
GPU_ID = "0"  # number of the GPU to use, or 'cpu'
BACKEND = "default"  # engine that computes, 'tensorflow' or 'jax'
SEED = 0  # seed of all random numbers

# Data: a folder of pictures for each class, as ImageNet has it
TRAIN_DATA = "DATASET/imagenet/train"  # folder of the training pictures
TEST_DATA = "DATASET/imagenet/val"  # folder of the pictures for evaluation after each epoch
PICTURE_LIST = None  # list of the training pictures in TRAIN_DATA
SAMPLE_WEIGHTS = None  # table of how often pictures are drawn
SKIP_BROKEN = False  # leave out training pictures that cannot be read

# Network
IMAGE_SIZE = 224  # pixels, side of the pictures
WIDTH = 1.0  # factor on every channel and unit count
NUM_CLASSES = 1000  # classes that the network tells apart
VGG16_WEIGHTS = "imagenet"  # initial weights
VGG16_PREPROCESSING = True  # let these see L as they were trained to

# Training
BATCH_SIZE = 64  # pictures in one batch
ACCUMULATE = 1  # parts that a batch is computed in
STRATEGY = "none"  # devices that share a batch
JIT = False  # compile the update with XLA
NUM_EPOCHS = 1  # passes over the training pictures
STEPS_PER_EPOCH = None  # batches in one epoch
SHUFFLE = True  # a new order of the pictures each epoch
DROP_LAST = False  # leave out an epoch's incomplete last batch
CROP_FROM = 256  # pixels, side before random cropping
CROP_SHARE = 1.0  # share of the samples that are cropped
AGE_LUMINANCE = 0.0  # share of the samples whose L is aged
PRECISION = "float32"  # 'float32', 'bfloat16' or 'float16'
LEARNING_RATE = 1e-3  # step size of gradient descent
MOMENTUM = 0.9  # share of the last step that the next one keeps
WEIGHT_DECAY = 5e-4  # weight of the kernels' and biases' squares
NUM_TEST_IMAGES = "all"  # test pictures for evaluation, or 'all'

# Checkpoints: at the end of each epoch, and after so many steps or minutes
SAVE_EVERY = None  # steps from checkpoint to checkpoint
SAVE_MINUTES = 15  # minutes from checkpoint to checkpoint
KEEP_CHECKPOINTS = 2  # checkpoints that stay, the newest ones
SAVE_NETWORKS_EVERY = 1  # epochs from saved networks to saved networks

# Results of training
MODEL_DIR = "MODEL/{TEST_NAME}"  # folder of the trained networks and checkpoints
OUT_DIR = "RESULT/{TEST_NAME}/training"  # folder of the test pictures colorized while training
LOG_DIR = "RESULT/{TEST_NAME}/logs"  # folder of the logs and loss curves
