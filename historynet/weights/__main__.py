"""`python -m historynet.weights`: says or changes what model files are.

The one place that enters a room below it: the command line lives in `historynet.commands.models`.
"""

from historynet.commands import models

models.main()
