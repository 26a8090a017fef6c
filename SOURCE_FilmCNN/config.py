"""Parameters of the films CNN: constants only.

Each can be set on the command line as well (BATCH_SIZE is --batch-size); `python FilmCNN.py --help`,
`python colorization.py --help` and `python frames.py --help` explain them. Paths are relative to the project's folder;
{TEST_NAME} stands for the run's name.
"""

# The run
TEST_NAME = "FilmCNN"  # name of the run
GPU_ID = "0"  # number of the GPU to use, or 'cpu'
BACKEND = "default"  # engine that computes, 'tensorflow' or 'jax'
SEED = 0  # seed of all random numbers

# Data: a folder of colour pictures
TRAIN_DATA = "DATASET/dataset_train"  # folder of the training pictures
TEST_DATA = "DATASET/dataset_second"  # folder of the pictures for evaluation after each epoch
PICTURE_LIST = None  # list of the training pictures in TRAIN_DATA
SAMPLE_WEIGHTS = None  # table of how often pictures are drawn
SKIP_BROKEN = False  # leave out training pictures that cannot be read

# Network
IMAGE_SIZE = 176  # pixels, side of the pictures in training
COLORIZING_SIZE = 256  # pixels, side of the pictures in colorizing
WIDTH = 1.0  # factor on every channel count
FEATURES_WIDTH = None  # WIDTH of VGG16's blocks 1 to 3
MULTI_SCALE = True  # a first layer of 3x3 and 5x5 kernels
VGG_FEATURES = True  # join VGG16's features to the trunk's
VGG16_WEIGHTS = "imagenet"  # initial weights of VGG16's blocks 1 to 3
VGG16_PREPROCESSING = True  # let VGG16 see L as it was trained to
FROZEN_FEATURES = True  # keep VGG16's blocks as they are
INIT_NETWORK = None  # network to go on training from
SCALED_START = None  # batches over which the first outputs are scaled

# Training: section 4.2 of the paper, whose two stages have 24 epochs each
BATCH_SIZE = 40  # pictures in one batch
ACCUMULATE = 1  # parts that a batch is computed in
STRATEGY = "none"  # devices that share a batch
JIT = False  # compile the update with XLA
NUM_EPOCHS = 24  # passes over the training pictures
STEPS_PER_EPOCH = None  # batches in one epoch
SHUFFLE = True  # a new order of the pictures each epoch
DROP_LAST = False  # leave out an epoch's incomplete last batch
CROP_FROM = 256  # pixels, side before random cropping
CROP_SHARE = 1.0  # share of the samples that are cropped
AGE_LUMINANCE = 0.0  # share of the samples whose L is aged
PRECISION = "float32"  # 'float32', 'bfloat16' or 'float16'
LEARNING_RATE = 3e-5  # step size of Adam
WEIGHT_DECAY = 1e-3  # weight of the convolutions' squares
NEIGHBOURS = 5  # bins that share a pixel's colour
SIGMA = 5.0  # Lab units, of the Gaussian that shares it out
AVERAGED_TARGET = False  # take the mean of 4x4 pixels for the target
REBALANCING = False  # let rare colours count more
NUM_TEST_IMAGES = 64  # test pictures for evaluation, or 'all'

# Checkpoints: at the end of each epoch, and after so many steps or minutes
SAVE_EVERY = None  # steps from checkpoint to checkpoint
SAVE_MINUTES = 15  # minutes from checkpoint to checkpoint
KEEP_CHECKPOINTS = 2  # checkpoints that stay, the newest ones
SAVE_NETWORKS_EVERY = 1  # epochs from saved networks to saved networks

# Results of training
MODEL_DIR = "MODEL/{TEST_NAME}"  # folder of the trained networks and checkpoints
OUT_DIR = "RESULT/{TEST_NAME}/training"  # folder of the test pictures colorized while training
LOG_DIR = "RESULT/{TEST_NAME}/logs"  # folder of the logs and loss curves

# Colorizing
PRETRAINED = "default"  # network to colorize with
TEST_DIR = "DATASET/test"  # folder of the pictures to colorize
RESULT_DIR = "RESULT/{TEST_NAME}/colorized"  # folder of the colorized pictures
TEMPERATURE = 0.5  # of the annealed mean, Eq. (2)

# Frames of films
FRAMES_DIR = "DATASET/films"  # folder of the pictures made of films
WHITE_BALANCE = "film"  # one for each 'film', each 'shot', or 'none'
EXPOSURE = "film"  # one for each 'film', each 'shot', or 'none'
CROP_BORDERS = True  # cut black bars off
FRAME_SIDE = 256  # pixels, short side of a film's pictures
DARKEST = 0.2  # mean L, 0..1, below which frames are left out
DROP_COLOURLESS = True  # leave out frames without colour
