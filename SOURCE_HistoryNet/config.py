"""Parameters of HistoryNet: constants only.

Each can be set on the command line as well (BATCH_SIZE is --batch-size); `python HistoryNet.py --help` and
`python colorization.py --help` explain them. Paths are relative to the project's folder; {TEST_NAME} stands for the
run's name.
"""

# The run
TEST_NAME = "HistoryNet"
GPU_ID = "0"
RELEASED_ARITHMETIC = False
SEED = 0

# Data: MHMD's layout
TRAIN_DATA = "DATASET/dataset_train"
TRAIN_PARSING = None
TEST_DATA = "DATASET/dataset_second"
SIGN_NAME = "sign.txt"
NUM_CLASSES = 42
ALLOW_MISSING_LABELS = False
ALLOW_MISSING_PARSING = False
SKIP_BROKEN = False

# Networks
IMAGE_SIZE = 224
WIDTH = 1.0
FEATURES_WIDTH = None
DENSE_WIDTH = None
VGG16_WEIGHTS = "imagenet"
VGG16_PREPROCESSING = False
FROZEN_FEATURES = False
INIT_GENERATOR = None
INIT_DISCRIMINATOR = None
INIT_CLASSIFIER = None

# Training: section 5.1 of the paper; the loss weights of Eq. (1), or those that the released program has
BATCH_SIZE = 16
ACCUMULATE = 1
STRATEGY = "none"
JIT = False
NUM_EPOCHS = 8
STEPS_PER_EPOCH = None
SHUFFLE = True
DROP_LAST = False
CROP_FROM = None
PRECISION = "float32"
LEARNING_RATE = 2e-5
DECAY_STEPS = None
WARMUP_STEPS = None
EMA_MOMENTUM = None
SHARED_ADAM_STEPS = False
RELEASED_STATISTICS = False
LOSSES = "paper"
LAMBDA_REC = {"paper": 1.0, "released": 2.0}
HUBER_DELTA = None
CHROMA_WEIGHT = 0.0
LOG_ERROR = False
LAMBDA_CLS = {"paper": 0.003, "released": 0.002}
LAMBDA_PAR = {"paper": 0.003, "released": 0.002}
LAMBDA_G = {"paper": 0.1, "released": 0.1}
LAMBDA_INFO = {"paper": 0.003, "released": 0.002}
# Eq. (6) prints no weight for the gradient penalty; 10 is Gulrajani et al.'s (2017), whom it follows, too.
LAMBDA_GP = {"paper": 10.0, "released": 10.0}
NUM_TEST_IMAGES = 64

# Checkpoints: at the end of each epoch, and after so many steps or minutes
SAVE_EVERY = None
SAVE_MINUTES = 15
KEEP_CHECKPOINTS = 2

# Results of training
MODEL_DIR = "MODEL/{TEST_NAME}"
OUT_DIR = "RESULT/{TEST_NAME}/training"
LOG_DIR = "RESULT/{TEST_NAME}/logs"

# Colorizing
PRETRAINED = "default"
TEST_DIR = "DATASET/test"
RESULT_DIR = "RESULT/{TEST_NAME}/colorized"
