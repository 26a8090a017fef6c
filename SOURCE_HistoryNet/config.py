"""Parameters of HistoryNet: constants only.

Each can be set on the command line as well (BATCH_SIZE is --batch-size); `python HistoryNet.py --help` and
`python colorization.py --help` explain them. Paths are relative to the project's folder; {TEST_NAME} stands for the
run's name.
"""

# The run
TEST_NAME = "HistoryNet"  # name of the run
GPU_ID = "0"  # number of the GPU to use, or 'cpu'
BACKEND = "default"  # engine that computes, 'tensorflow' or 'jax'
RELEASED_ARITHMETIC = False  # sum as the released program did
SEED = 0  # seed of all random numbers

# Data: MHMD's layout
TRAIN_DATA = "DATASET/dataset_train"  # folder of the training pictures
TRAIN_PARSING = None  # folder of the parsing pictures
TEST_DATA = "DATASET/dataset_second"  # folder of the pictures for evaluation after each epoch
SIGN_NAME = "sign.txt"  # name of the label file
NUM_CLASSES = 42  # labels of a picture
ALLOW_MISSING_LABELS = False  # train with pictures without labels
ALLOW_MISSING_PARSING = False  # train with pictures without a parsing picture
SAMPLE_WEIGHTS = None  # table of how often pictures are drawn
SKIP_BROKEN = False  # leave out training pictures that cannot be read

# Networks
IMAGE_SIZE = 224  # pixels, side of the networks' pictures
WIDTH = 1.0  # factor on every channel count
FEATURES_WIDTH = None  # WIDTH of VGG16's blocks 1 to 3 in G0
DENSE_WIDTH = None  # WIDTH of G2's and D2's dense layers
VGG16_WEIGHTS = "imagenet"  # initial weights of G0
VGG16_PREPROCESSING = False  # let VGG16 see L as it was trained to
FROZEN_FEATURES = False  # keep VGG16's blocks 1 to 3 in G0
INIT_GENERATOR = None  # generator to go on training from
INIT_DISCRIMINATOR = None  # the same for the discriminator D1
INIT_CLASSIFIER = None  # the same for the classifier network D2

# Training: section 5.1 of the paper; the loss weights of Eq. (1), or those that the released program has
BATCH_SIZE = 16  # pictures in one batch
ACCUMULATE = 1  # parts that a batch is computed in
STRATEGY = "none"  # devices that share a batch
JIT = False  # compile the update with XLA
NUM_EPOCHS = 8  # passes over the training pictures
STEPS_PER_EPOCH = None  # batches in one epoch
SHUFFLE = True  # a new order of the pictures each epoch
DROP_LAST = False  # leave out an epoch's incomplete last batch
CROP_FROM = None  # pixels, side before random cropping
CROP_SHARE = 1.0  # share of the samples that are cropped
AGE_LUMINANCE = 0.0  # share of the samples whose L is aged
PRECISION = "float32"  # 'float32', 'bfloat16' or 'float16'
LEARNING_RATE = 2e-5  # step size of Adam
DECAY_STEPS = None  # batches over which LEARNING_RATE falls
FINAL_RATE = 0.0  # share of LEARNING_RATE after DECAY_STEPS
WARMUP_STEPS = None  # batches over which LEARNING_RATE rises from zero
FEATURES_RATE = 1.0  # factor on LEARNING_RATE for VGG16's blocks
BETA_1 = 0.5  # share of the gradients' mean that Adam keeps
BETA_2 = 0.999  # share of the mean of their squares that it keeps
WEIGHT_DECAY = 0.0  # share of kernels that is taken off at each step
CLIP_NORM = None  # largest norm of a network's gradient
CRITIC_RATE = None  # step size of D1's and D2's Adam
CRITIC_WARMUP = 0  # batches in which D1 and D2 alone are trained
EMA_MOMENTUM = None  # share kept by the average of G's weights
SHARED_ADAM_STEPS = False  # count Adam's steps over all networks
RELEASED_STATISTICS = False  # move batch normalisation's statistics as released
LOSSES = "paper"  # loss weights, 'paper' or 'released'
LAMBDA_REC = {"paper": 1.0, "released": 2.0}  # weight of the colour loss L_r, Eq. (2)
HUBER_DELTA = None  # error from which L_r grows linearly
CHROMA_WEIGHT = 0.0  # how much more colourful pixels count in L_r
LOG_ERROR = False  # L_r is the logarithm of a picture's error
LAMBDA_CLS = {"paper": 0.003, "released": 0.002}  # weight of the classification loss L_cls, Eq. (4)
LAMBDA_PAR = {"paper": 0.003, "released": 0.002}  # weight of the parsing loss L_par, Eq. (3)
LAMBDA_G = {"paper": 0.1, "released": 0.1}  # weight of the adversarial loss L_g, Eq. (6)
LAMBDA_INFO = {"paper": 0.003, "released": 0.002}  # weight of D2's loss L_info, Eq. (5)
# Eq. (6) prints no weight for the gradient penalty; 10 is Gulrajani et al.'s (2017), whom it follows, too.
LAMBDA_GP = {"paper": 10.0, "released": 10.0}  # weight of the gradient penalty in Eq. (6)
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
