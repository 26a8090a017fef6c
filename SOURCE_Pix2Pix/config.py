"""Parameters of Pix2Pix with self-attention: constants only.

Each can be set on the command line as well (BATCH_SIZE is --batch-size); `python Pix2Pix.py --help` and
`python colorization.py --help` explain them. Paths are relative to the project's folder; {TEST_NAME} stands for the
run's name. The experiments of the report's Table 4.1 are expt1.json to expt8.json beside this file, for --config.
"""

# The run
TEST_NAME = "Pix2Pix"  # name of the run
GPU_ID = "0"  # number of the GPU to use, or 'cpu'
BACKEND = "default"  # engine that computes, 'tensorflow' or 'jax'
SEED = 0  # seed of all random numbers

# Data: a folder of colour pictures
TRAIN_DATA = "DATASET/voc_train"  # folder of the training pictures
TEST_DATA = "DATASET/voc_test"  # folder of the pictures for evaluation after each epoch
SAMPLE_WEIGHTS = None  # table of how often pictures are drawn
SKIP_BROKEN = False  # leave out training pictures that cannot be read

# Networks
IMAGE_SIZE = 128  # pixels, side of the networks' pictures
WIDTH = 1.0  # factor on every channel count
U_NET_DEPTH = 7  # how often the U-Net halves its map
ATTENTION = None  # pixels, shorter side of the map that attends to itself
SPECTRAL_NORM = False  # divide kernels by their spectral norm
DROPOUT = 0.5  # share of deep features left out in training
DISCRIMINATOR_LAYERS = 4  # hidden convolutions of the discriminator

# Training: Adam at 0.0002 for 500 epochs is the report's; batch size and beta are pix2pix's or ours (docs/pix2pix.md)
GAN_LOSS = "log"  # 'log', 'least_squares' or 'hinge'
LAMBDA_L1 = 100.0  # weight of L_L1
LEARNING_RATE = 2e-4  # step size of Adam
DISCRIMINATOR_LEARNING_RATE = None  # the discriminator's step size
BETA_1 = 0.5  # share of the gradients' mean that Adam keeps
BETA_2 = 0.999  # share of the squares' mean that Adam keeps
BATCH_SIZE = 16  # pictures in one batch
ACCUMULATE = 1  # parts that a batch is computed in
STRATEGY = "none"  # devices that share a batch
JIT = False  # compile the update with XLA
NUM_EPOCHS = 500  # passes over the training pictures
STEPS_PER_EPOCH = None  # batches in one epoch
SHUFFLE = True  # a new order of the pictures each epoch
DROP_LAST = False  # leave out an epoch's incomplete last batch
CROP_FROM = 128  # pixels, side before random cropping
CROP_SHARE = 1.0  # share of the samples that are cropped
AGE_LUMINANCE = 0.0  # share of the samples whose L is aged
PRECISION = "float32"  # 'float32', 'bfloat16' or 'float16'
NUM_TEST_IMAGES = 64  # test pictures for evaluation, or 'all'

# Checkpoints: at the end of each epoch, and after so many steps or minutes
SAVE_EVERY = None  # steps from checkpoint to checkpoint
SAVE_MINUTES = 15  # minutes from checkpoint to checkpoint
KEEP_CHECKPOINTS = 2  # checkpoints that stay, the newest ones
SAVE_NETWORKS_EVERY = 50  # epochs from saved networks to saved networks

# Results of training
MODEL_DIR = "MODEL/{TEST_NAME}"  # folder of the trained networks and checkpoints
OUT_DIR = "RESULT/{TEST_NAME}/training"  # folder of the test pictures colorized while training
LOG_DIR = "RESULT/{TEST_NAME}/logs"  # folder of the logs and loss curves

# Colorizing
PRETRAINED = "default"  # network to colorize with
TEST_DIR = "DATASET/test"  # folder of the pictures to colorize
RESULT_DIR = "RESULT/{TEST_NAME}/colorized"  # folder of the colorized pictures
