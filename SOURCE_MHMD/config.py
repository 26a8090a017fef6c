"""Parameters of what builds a data set from films: constants only.

Each can be set on the command line as well (PICTURE_SIDE is --picture-side); `--help` of each program explains those
that it reads. Paths are relative to the project's folder. The two trainers have their own: labeller_config.py and
parser_config.py.
"""

# Places
OUT = "DATASET"  # folder of the finished data set
WORK = "DATASET/mhmd"  # folder of all that comes before it
SEED = 0  # seed of all that is drawn

# Films to candidates
RATE = 2.0  # candidates a second, one a shot at least
TRIM = 2  # frames left out at both ends of a shot
CROP_BARS = True  # cut black bars off
MIN_SIDE = 224  # pixels, short side that a film has at least
PICTURE_SIDE = 256  # pixels, short side of the pictures
SQUASH = None  # pixels, side of squares to squash pictures to
DETECTOR = "default"  # finder of persons

# Candidates to pictures
RANGE_MIN = 40  # levels from darkest to lightest percent, at least
TONE_MIN = 2.0  # spread of ab that luminance does not explain
TINTED_MIN = 2.8  # the same where there is a cast
TINTED_CAST = 2.0  # casts of over so many tones count as tints
FRAME_SHARPNESS = 0.01  # variance of the Laplacian by that of luminance
PERSON_SCORE = 0.4  # of what is taken for a person
MAIN_HEIGHT = 0.2  # of the picture's height, of a main person
MAIN_SHARE = 0.4  # of the tallest person's height, of a main person
MAX_PERSONS = 4  # main persons in a picture
PERSON_SHARPNESS = 0.02  # the same as FRAME_SHARPNESS, within the tallest person
PERSON_BLUR = 0.55  # blur effect of the tallest person, at most
TITLE_DISTANCE = 8  # bits of 64, of duplicates within a title
OTHERS_DISTANCE = 4  # bits of 64, of duplicates in other titles
MAX_PER_TITLE = 10_000  # pictures of a title

# Labels
LABELS = None  # table of the labels
NUM_CLASSES = 42  # labels that the table may have
LABEL_SHARE = 0.01  # share of the pictures that is labelled by hand
OFFERED_TWICE = 0.05  # share of those that a second person labels too
LABELLER = "MODEL/MHMD_Labeller"  # trained labeller, a file or a training's folder
TITLE_MASK = True  # rule out labels that a film's row rules out
SURE_CONFIDENCE = 0.9  # of labels that need no second look
SURE_MARGIN = 0.3  # of them before the second label
SECOND_LOOKS = 2000  # pictures that are looked at again, at most
AUDITED = 400  # pictures whose final label is checked
LABEL_ORDER = None  # another order of the labels in sign.txt

# Parsing
PARSER = "default"  # parser, a JSON file or a training's folder
PARSE_COUNT = None  # pictures that are parsed
PALETTE = "levels"  # drawing of the parts
SEG_FORMAT = "png"  # format of the parsing's files

# Building
SPLIT = "title"  # what the test part is drawn by
TEST_SHARE = 100_001 / 1_353_166  # share of the pictures that is for tests

# Report
HUE_PICTURES = 2000  # pictures whose hues are compared
